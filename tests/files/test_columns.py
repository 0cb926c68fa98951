"""The choice of the columns for text, id and label, and the refusals when it is not certain."""

from dataclasses import replace
from typing import Any

import pytest

from files.columns import TEXT_NAMES
from files.errors import AmbiguousColumn, NoSuchColumn, NoTextColumn
from tests.files.reading import CSV, refusal, table


def columns(header: str, **wanted: Any) -> tuple[int, int | None, int | None]:
    layout = table(header, replace(CSV, **wanted)).layout
    return layout.text, layout.id, layout.label


@pytest.mark.parametrize("name", TEXT_NAMES)
def test_a_text_column_is_known_by_its_name(name: str) -> None:
    assert columns(f"a,{name}")[0] == columns(f"a,{name.title()} ")[0] == 1


def test_of_several_text_columns_the_best_known_is_taken() -> None:
    assert columns("message,text,review")[0] == 2
    assert columns("review_body,body")[0] == 1


@pytest.mark.parametrize(("header", "place"), [("id", 0), ("ID", 0), ("x,review_id", 1), ("review_id,id", 1)])
def test_an_id_column_is_known_by_its_name(header: str, place: int) -> None:
    assert columns(f"{header},text")[1] == place


@pytest.mark.parametrize(
    ("header", "place"),
    [("label", 0), ("Sentiment", 0), ("sentiment,label", 1), ("target,rating", 0), ("rating", None)],
)
def test_a_label_column_is_known_by_its_name(header: str, place: int | None) -> None:
    assert columns(f"{header},text")[2] == place


def test_wanted_columns_are_taken_exactly_or_else_in_any_case() -> None:
    assert columns("BODY,body, Body ,text", text_column="body") == (1, None, None)
    assert columns("a, Body ,text", text_column="body") == (1, None, None)
    wanted: dict[str, Any] = {"text_column": "opinion", "id_column": "key", "label_column": "stars"}
    assert columns("text,id,label,Stars,Key,Opinion", **wanted) == (5, 4, 3)


def test_the_text_column_is_not_taken_for_a_label_too() -> None:
    assert columns("sentiment,id", text_column="sentiment") == (0, 1, None)
    assert columns("sentiment,label", text_column="label") == (1, None, 0)


@pytest.mark.parametrize("header", ["title,stars", "great film", '""', "text and more"])
def test_a_file_without_a_known_text_column_is_refused_with_its_columns(header: str) -> None:
    message = refusal(NoTextColumn, f"{header}\nfine\n")
    assert "text_column" in message
    assert all(f'"{name}"' in message for name in header.replace('"', "").split(","))
    assert "header=none" in message


@pytest.mark.parametrize("which", ["text_column", "id_column", "label_column"])
def test_a_wanted_column_that_does_not_exist_is_refused_with_the_columns_that_do(which: str) -> None:
    message = refusal(NoSuchColumn, "review,stars\nfine,5\n", replace(CSV, **dict[str, Any]({which: "opinion"})))
    assert message == 'There is no column "opinion"; the columns are "review", "stars".'


def test_the_columns_that_a_refusal_lists_are_shortened() -> None:
    message = refusal(NoTextColumn, ",".join(["long" * 100, "\n".join(["x"] * 9), *["c"] * 900]).replace("\n", " "))
    assert "and 882 more" in message
    assert len(message) < 400


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("review,a,review", {}),
        ("Review,REVIEW", {}),
        ("a,a,text", {"text_column": "a"}),
        ("a,A,text", {"id_column": " a"}),
        ("l,l,text", {"label_column": "l"}),
    ],
)
def test_a_needed_column_whose_name_occurs_twice_is_refused(header: str, wanted: dict[str, Any]) -> None:
    assert "are both named" in refusal(AmbiguousColumn, f"{header}\nfine\n", replace(CSV, **wanted))


def test_other_columns_may_have_the_same_name_or_none() -> None:
    assert columns(",,a,a,text") == (4, None, None)


def test_an_optional_id_or_label_is_not_guessed_among_two() -> None:
    assert columns("id,id,label,label,text") == (4, None, None)
