"""Emoji, emoticons and ratings become words; without that the model ignores or misreads them."""

import pytest

from inference.cleaning import clean


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("Great 👎", "Great thumbs down"),
        ("Great 👍🏽", "Great thumbs up"),
        ("I ❤️ it", "I red heart it"),
        ("5/5", "5/5 (excellent rating)"),
        ("7,5/10 for me", "7,5/10 (good rating) for me"),
        ("1 / 5", "1 / 5 (terrible rating)"),
        ("★☆☆☆☆", "1 of 5 stars (terrible rating)"),
        ("⭐⭐⭐⭐⭐", "5 of 5 stars (excellent rating)"),
        ("ok :)", "ok smiling face"),
        ("late again :(", "late again frowning face"),
        ("<3", "red heart"),
        ("</3 you", "broken heart you"),
    ],
)
def test_a_symbol_becomes_words(text: str, spelled: str) -> None:
    assert clean(text, symbols=True) == spelled


@pytest.mark.parametrize(
    "text",
    ["10/10/2020", "24/7", "3/4 of it", "12/5", "1/2", "http://a.example/b", "a: b; c = d", "© 2020 ™", "café", "(8)"],
)
def test_text_without_a_symbol_is_unchanged(text: str) -> None:
    assert clean(text, symbols=True) == text


def test_models_that_learnt_without_them_read_symbols_as_they_are() -> None:
    assert clean("Great 👎 5/5") == "Great 👎 5/5"
