"""Peculiarities of real exports, each in a small file: rows that are read, rows that fail, files that are refused."""

import bz2
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from files.errors import (
    AmbiguousColumn,
    FileRefused,
    NoSuchColumn,
    NoTextColumn,
    NotText,
    UnclosedQuote,
    UnsureHeader,
    WrongOption,
)
from files.layout import WantedColumns
from files.reader import read
from tests.files.reading import CSV, LIMITS, NDJSON, errors, refusal, rows, table, texts

CASES = Path(__file__).parents[3] / "shared" / "cases" / "files"


def wanted(**options: Any) -> WantedColumns:
    return replace(CSV, **options)


def test_a_tab_separated_file_without_quoting_keeps_its_rows_and_its_quotes() -> None:
    file = 'id\treview\tstars\n1\t"What a bore.\t1\n2\tWonderful.\t5\n3\t"Not for me.\t1\n'
    assert texts(file) == ['"What a bore.', "Wonderful.", '"Not for me.']
    assert table(file).layout.quoting == "none"


def test_rows_between_two_unpaired_quotes_are_not_joined() -> None:
    assert texts('review,stars\n"What a bore,1\nWonderful.,5\nNot for me",1\n') == [
        '"What a bore',
        "Wonderful.",
        'Not for me"',
    ]


def test_backslashes_before_quotes_are_escapes() -> None:
    file = 'id,review,stars\n1,"It is \\"nice\\"\nall in all, I think.",5\n2,"C:\\\\new",1\n3,Bad.,1\n'
    assert texts(file) == ['It is "nice"\nall in all, I think.', "C:\\new", "Bad."]
    assert table(file).layout.quoting == "backslash"


def test_backslashes_are_plain_characters_in_a_file_with_doubled_quotes() -> None:
    assert texts('id,review\n1,"It is ""nice"" \\"\n2,"C:\\new, or"\n') == ['It is "nice" \\', "C:\\new, or"]


def test_an_unpaired_quote_after_the_sample_does_not_join_rows() -> None:
    good = "".join(f"{number}\tA film number {number}.\t5\n" for number in range(300))
    file = f'id\treview\tstars\n{good}300\t"What a bore.\t1\n301\tWonderful.\t5\n302\t"Not for me.\t1\n'
    assert texts(file)[-3:] == ['"What a bore.', "Wonderful.", '"Not for me.']


def test_a_backslash_after_the_sample_is_an_escape_in_its_record() -> None:
    good = "".join(f'{number},"A film, number {number}.",5\n' for number in range(300))
    assert texts(f'id,review,stars\n{good}300,"It is \\"nice\\", I think.",1\n')[-1] == 'It is "nice", I think.'


def test_lines_that_cannot_be_separated_fail_as_one_row_with_their_numbers() -> None:
    good = "".join(f'{number},"A film, number {number}.",5\n' for number in range(300))
    found = rows(f'id,review,stars\n{good}300,"What a, bore.,1\n301,"Fine, or so.",5\n302,Good.,5\n')
    broken = [row for row in found if row.error]
    assert [row.text for row in found[:300]] == [f"A film, number {number}." for number in range(300)]
    assert found[-1].text == "Good."
    assert [row.error.code for row in broken if row.error] == ["broken_quotes"]
    assert broken[0].error is not None
    assert broken[0].error.detail.startswith("Lines 302 to 303 were read as one record")
    assert "What a, bore." in broken[0].text


def test_a_legitimate_text_of_several_lines_is_one_row() -> None:
    file = 'review,stars\n"Nice, really\nI would, again\nAnd again",5\nBad.,1\n'
    assert texts(file) == ["Nice, really\nI would, again\nAnd again", "Bad."]


def test_the_quoting_can_be_given() -> None:
    file = 'id\treview\n1\t"whole"\n2\t"line\n3\tmore"\n'
    assert [row.text for row in rows(file, wanted(quoting="none"))] == ['"whole"', '"line', 'more"']
    assert [row.text for row in rows(file, wanted(quoting="doubled"))] == ["whole", "line\n3\tmore"]
    assert errors('id,review\n1,"a "b" c"\n2,fine\n', wanted(quoting="doubled")) == ["broken_quotes", None]


def test_a_cut_file_is_refused() -> None:
    assert "line 3 " in refusal(UnclosedQuote, 'id,review\n1,"Fine, or so."\n2,"It was')


@pytest.mark.parametrize(
    ("file", "codes"),
    [
        ("id|review|stars\n1|Fine.|5\n2|first\nsecond|1\n3|Good.|4\n", [None, "broken_line", "broken_line", None]),
        ("stars|review\n5|Fine.\n1|first\nsecond\n4|Good.\n", [None, "broken_line", "too_few_fields", None]),
        ("review|stars\nFine.|5\nfirst\nsecond|1\nGood.|4\n", [None, "broken_line", "broken_line", None]),
        ("stars|review||\n5|Fine.||\n1|first\nsecond||\n4|Good.||\n", [None, "broken_line", "broken_line", None]),
    ],
)
def test_a_line_end_without_quotes_fails_both_halves_of_its_text(file: str, codes: list[str | None]) -> None:
    assert errors(file) == codes


def test_a_flag_and_an_id_are_no_texts() -> None:
    assert table("rating\tverified_reviews\tfeedback\n5\tFine, really.\t1\n1\tBad.\t0\n").layout.text == 1
    assert table("id,review,text\n1,R-0001,Fine.\n2,R-0002,Bad.\n").layout.text == 2
    message = refusal(NoTextColumn, 'feedback,note\n1,"Fine, really."\n0,Bad.\n')
    assert '"feedback" (such as "1") has the name of a text column and holds no texts' in message
    assert table("feedback,note\n1,x\n", wanted(text_column="feedback")).layout.text == 0


def test_two_columns_of_texts_are_both_named_with_a_sample() -> None:
    file = "review,text\nFine all in all.,Good.\nBad.,Awful.\n"
    message = refusal(AmbiguousColumn, file)
    assert 'Column 1 "review" (such as "Fine all in all.") and Column 2 "text" (such as "Good.")' in message
    assert table(file, wanted(text_column="2")).layout.text == 1
    assert table("review,text\nFine.,Fine.\nBad.,Bad.\n").layout.text == 0


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Review Text",
            "reviewText",
            "comments",
            "REVIEW-TEXT",
            "review\u00a0text",
            '"Review\nText"',
            "Review Content",
        ),
        *("review_comment_message", "reviews.text", "Verified_Reviews", "Customer Feedback", "Open-Ended Response"),
    ],
)
def test_names_that_exporters_write_are_known(name: str) -> None:
    assert table(f"id,{name},stars\n1,Fine.,5\n").layout.text == 1


def test_spaces_after_delimiters_and_a_doubled_byte_order_mark_are_ignored() -> None:
    found = table('"id", "review", "stars"\n1, "Fine, really.", 5\n')
    assert found.layout.columns == ("id", "review", "stars")
    assert next(found.rows).text == "Fine, really."
    assert texts("\ufeff\ufeffreview,stars\nFine.,5\n") == ["Fine."]


def test_lines_before_a_certain_header_are_left_out() -> None:
    assert texts("sep=;\r\nid;review\r\n1;Fine.\r\n") == ["Fine."]
    assert texts("Export,,\nMade 2025-01-01,,\n\nid,review,stars\n1,Fine.,5\n") == ["Fine."]
    assert texts("# made by a tool\nid,review\n1,Fine.\n") == ["Fine."]
    assert table("Export,,\nid,review,stars\n1,Fine.,5\n").layout.notes == (
        "The header is on line 2; the lines before it are left out.",
    )


def test_an_unsure_header_is_refused_and_the_message_names_the_option() -> None:
    file = "notes,stars\nFine.,5\nreview,1\nBad.,1\n"
    assert "header=3" in refusal(UnsureHeader, file)
    assert texts(file, wanted(header="1", text_column="notes", null_words="keep")) == ["Fine.", "review", "Bad."]
    assert texts(file, wanted(header="3")) == ["Bad."]


def test_a_second_header_line_is_no_review() -> None:
    survey = "Respondent,What did you think?\n,Open-Ended Response\n1,Fine.\n2,Bad.\n"
    assert texts(survey, wanted(text_column="What did you think?")) == ["Fine.", "Bad."]
    assert texts(survey, wanted(text_column="2", header="1-2")) == ["Fine.", "Bad."]
    qualtrics = 'id,Q1\nResponse ID,How was it?\n"{""ImportId"":""_id""}","{""ImportId"":""Q1""}"\n1,Fine.\n'
    assert texts(qualtrics, wanted(text_column="Q1")) == ["Fine."]


def test_a_file_without_a_header_loses_no_row() -> None:
    file = "Fine all in all.\t1\nRather bad.\t0\n"
    assert "header=none" in refusal(NoTextColumn, file)
    assert "header=none" in refusal(WrongOption, file, wanted(text_column="1"))
    assert texts(file, wanted(header="none")) == ["Fine all in all.", "Rather bad."]
    found = table(file, wanted(header="none", text_column="1", label_column="2"))
    assert [(row.text, row.label) for row in found.rows] == [("Fine all in all.", "1"), ("Rather bad.", "0")]
    assert texts("Fine, really.\nRather bad, too, I think.\n", wanted(header="none")) == [
        "Fine, really.",
        "Rather bad, too, I think.",
    ]


@pytest.mark.parametrize("header", ["first", "0", "7", "2-1", "-1", "1-999999999"])
def test_an_impossible_header_line_is_refused(header: str) -> None:
    assert refusal(WrongOption, "review\nFine.\n", wanted(header=header))


def test_a_list_of_reviews_needs_no_quotes() -> None:
    assert texts('review\nFine, really; or so.\nBad, too, I think.\n"Good, then."\n') == [
        "Fine, really; or so.",
        "Bad, too, I think.",
        "Good, then.",
    ]


def test_empty_cells_beyond_the_header_are_ignored() -> None:
    assert texts("id,review,stars\n1,Fine.,5,\n2,Bad.,1,,\n") == ["Fine.", "Bad."]


def test_row_names_get_a_column() -> None:
    found = table('"review","stars"\n"1","Fine.",5\n"2","Bad.",1\n')
    assert found.layout.columns == ("row_name", "review", "stars")
    assert [(row.text, row.others) for row in found.rows] == [("Fine.", ["1", "5"]), ("Bad.", ["2", "1"])]


def test_row_names_are_found_though_last_cells_are_empty_and_records_broken() -> None:
    file = 'review;stars;title\n1;"Fine.";"5";"Good"\n2;"Bad. "Nice"";"1";"Bad"\n3;"Dull.";"2";""\n'
    found = table(file)
    assert found.layout.columns == ("row_name", "review", "stars", "title")
    assert [row.text for row in found.rows] == ["Fine.", 'Bad. "Nice"', "Dull."]


def test_ascending_stars_are_no_row_names() -> None:
    file = "stars,review\n1,Bad\\, I think.\n2,Fine\\, or so.\n"
    assert [(row.text, row.others) for row in rows(file)] == [("Bad, I think.", ["1"]), ("Fine, or so.", ["2"])]


def test_a_quoted_text_in_a_record_that_lacks_its_last_cell_is_not_split() -> None:
    file = 'id;review;helpful\n1;"Fine; really."\n2;Bad.;1\n3;Good.;12\n'
    assert [row.text for row in rows(file)] == ["Fine; really.", "Bad.", "Good."]


def test_a_delimiter_in_a_text_before_an_empty_last_cell_shifts_no_cells() -> None:
    good = "".join(f"A film, number {number}.\t2024-01-0{number}\t\n" for number in range(1, 9))
    assert errors(f"review\tdate\thelpful\n{good}Fine,\tall in all.\t2024-01-01\t\n")[-1] == "too_many_fields"
    assert errors(f"review\tdate\thelpful\n{good}Fine, all in all.\t2024-01-01\t\t\n")[-1] is None
    assert errors("review,title\nFine,Good\nFine,really.,\n") == [None, "too_many_fields"]


def test_backslashes_escape_delimiters_and_line_ends_in_a_file_without_quotes() -> None:
    file = 'id,review,stars\n1,Fine\\, really.,5\n2,\\"Good\\" and\\\nall.,4\n3,C:\\\\new,1\n'
    assert texts(file) == ["Fine, really.", '"Good" and\nall.', "C:\\new"]
    assert texts("review|stars\nIt ends with \\|5\nFine.|4\n") == ["It ends with \\", "Fine."]


def test_quotes_around_cells_are_removed_though_those_within_are_not_doubled() -> None:
    file = 'id\treview\tlabel\n"1"\t"A 5" screen."\t"pos"\n"2"\t"Fine."\t"neg"\n'
    assert [(row.text, row.label) for row in table(file).rows] == [('A 5" screen.', "pos"), ("Fine.", "neg")]


def test_column_numbers_find_the_delimiter_of_a_file_without_a_header_that_has_broken_records() -> None:
    file = "B|1000|Fine.\nA|1001|first\nsecond\nB|1002|Bad.\n"
    found = table(file, wanted(header="none", text_column="3", label_column="1"))
    assert [(row.text, row.label) for row in found.rows if not row.error] == [("Fine.", "B"), ("Bad.", "B")]
    file = '3,"Fine; or so.",Lamp\n1,"Bad; I think.",Chair\n'
    assert texts(file, wanted(header="none", text_column="2")) == ["Fine; or so.", "Bad; I think."]
    assert "no column" in refusal(NoSuchColumn, "Fine.\nBad.\n", wanted(header="none", text_column="9" * 5000))


def test_cells_beyond_the_header_are_never_lost() -> None:
    wide, fine = rows("id,review,stars\n1,Fine, really.,5\n2,Bad.,1\n")
    assert wide.error is not None
    assert (wide.text, wide.others, wide.error.code) == ("Fine", ["1", " really.,5"], "too_many_fields")
    assert fine.error is None


@pytest.mark.parametrize("word", ["NULL", "NaN", "N/A", "None", "-", "No review", "\\N", " null "])
def test_a_word_for_a_missing_text_is_no_review(word: str) -> None:
    file = f"id,review\n1,{word}\n2,Fine.\n"
    found = rows(file)
    assert found[0].error is not None
    assert (found[0].error.code, found[1].error) == ("empty_text", None)
    assert word.strip() in found[0].error.detail
    assert errors(file, wanted(null_words="keep")) == [None, None]


def test_compressed_files_arrays_and_html_are_recognised() -> None:
    assert texts(bz2.compress(b"id,review\n1,Fine.\n")) == ["Fine."]
    assert "HTML" in refusal(NotText, "<!DOCTYPE html>\n<html><body>review</body></html>\n")
    assert texts('[{"id": 1, "text": "Fine."}, {"id": 2, "text": "Bad."}]', NDJSON) == ["Fine.", "Bad."]


# The files from which the classes above were made; they are not part of the repository.
READ = {
    **dict.fromkeys(("c1", "c2", "n1", "n2", "n3", "n4", "h1", "h2", "h5", "w1", "w2", "q3", "q4", "f1", "p1"), 2),
    **dict.fromkeys(("q1", "q2", "l3"), 3),
    **dict.fromkeys(("l1", "l4", "l5"), 6),
    "n5": 1,
    "p1": 1,
    "n6": 1,
    "l2": 7,
    "p2": 2,
    "p4": 2,
    "q5": 4,
    "h3": 2,
    "h4": 2,
}
FAILED = {"e1": (2, 1), "e2": (1, 1), "v1": (1, 3), "w3": (1, 1), "p5": (1, 1)}
OPTIONS: dict[str, dict[str, Any]] = {
    "h3": {"text_column": "What did you think?"},
    "h4": {"header": "none"},
    "l1": {"label_column": "stars"},
}


@pytest.mark.skipif(not CASES.is_dir(), reason="the folder shared/cases/files is not there")
def test_every_shared_case_is_read_or_refused_as_expected() -> None:
    for path in sorted(CASES.iterdir()):
        name = path.name[:2]
        if path.name == "README.md":
            continue
        said = replace(NDJSON if path.suffix in {".json", ".jsonl"} else CSV, **OPTIONS.get(name, {}))
        if name == "p3":
            with pytest.raises(FileRefused, match="HTML"):
                list(read([path.read_bytes()], said, LIMITS).rows)
            continue
        found = list(read([path.read_bytes()], said, LIMITS).rows)
        failed = sum(row.error is not None for row in found)
        assert (len(found) - failed, failed) == (FAILED.get(name) or (READ[name], 0)), path.name
