"""The meaning of label values, with and without a model's labels."""

import pytest

from files.errors import WrongLabels
from files.labels import folded, meanings, parse_told

TWO, THREE = ("negative", "positive"), ("negative", "neutral", "positive")


@pytest.mark.parametrize(
    ("values", "labels", "column", "meant"),
    [
        ("0 1", TWO, "", "negative positive"),
        ("1", TWO, "label", "positive"),
        ("-1 0 1", THREE, "", "negative neutral positive"),
        ("-1 0 1", TWO, "", "negative - positive"),
        ("0 1 2", THREE, "", "negative neutral positive"),
        ("0 4", TWO, "", "negative positive"),
        ("1 2 3 4 5", TWO, "", "negative negative - positive positive"),
        ("1 2", THREE, "Star Rating", "negative negative"),
        ("pos NEG Neutral odd", THREE, "", "positive negative neutral -"),
        ("positive 5", TWO, "", "positive -"),
        ("true false", TWO, "", "positive negative"),
        ("1.0 0.0", TWO, "", "positive negative"),
        ("0 1 2", ("bad", "fair", "good"), "", "bad fair good"),
        ("3 5", ("1", "2", "3", "4", "5"), "stars", "3 5"),
    ],
)
def test_the_whole_set_of_values_decides(values: str, labels: tuple[str, ...], column: str, meant: str) -> None:
    found = meanings(map(folded, values.split()), labels, column=column)
    assert [found.of.get(folded(value), "-") for value in values.split()] == meant.split()
    assert found.problem is None


@pytest.mark.parametrize(
    ("values", "labels"), [("0 1 2", TWO), ("1 2", THREE), ("0 1", THREE), ("0", THREE), ("1", THREE), ("7", TWO)]
)
def test_uncertain_values_have_no_label_and_the_problem_names_them(values: str, labels: tuple[str, ...]) -> None:
    found = meanings(values.split(), labels, column="label")
    assert found.of == {}
    assert found.problem is not None
    assert f'"label" holds {", ".join(values.split())}' in found.problem
    assert "labels=" in found.problem


@pytest.mark.parametrize("column", ["", "column_2"])
def test_a_lone_1_may_be_one_star_where_the_column_has_no_name(column: str) -> None:
    found = meanings(["1"], TWO, column=column)
    assert found.of == {}
    assert found.problem is not None
    assert "labels=1:positive" in found.problem


def test_a_given_mapping_wins_and_other_numbers_have_no_label() -> None:
    told = parse_told("1:negative, 5.0 : POS")
    assert meanings(["1", "5", "3", "negative"], TWO, told=told).of == {
        "1": "negative",
        "5": "positive",
        "negative": "negative",
    }
    with pytest.raises(WrongLabels, match=r"no label \"angry\"; it has negative, positive"):
        meanings(["1"], TWO, told={"1": "angry"})


@pytest.mark.parametrize("written", ["", ",", "1", "1:", ":negative", "1=negative"])
def test_an_unreadable_mapping_is_refused(written: str) -> None:
    with pytest.raises(WrongLabels, match="1:negative,5:positive"):
        parse_told(written)
