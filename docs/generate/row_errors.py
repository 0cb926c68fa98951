"""`reference/row-errors.md`: the error codes of single rows, described here and compared with the code."""

import ast
from collections.abc import Iterator

from docs.generate.markdown import code, page, table
from settings import ROOT

INTRODUCTION = """\
A row that cannot be read, or that breaks the model, fails alone: its `status` is `failed`, and `error` has `code`,
`detail` and, where the model ran, `attempts`. The other rows of the job are classified. `detail` names the line and
the fault."""
CODES = {
    "broken_line": ("file", "The record continues in the next line without quotes; both halves fail.",
                    "Quote texts that hold line ends."),
    "broken_quotes": ("file", "An unpaired quote joined several lines; `detail` names them.",
                      "`quoting=none` if quotes are ordinary characters, else mend the quote."),
    "empty_text": ("text", "The text is empty, blank, or a word for nothing such as NULL, NaN or `-`.",
                   "`null_words=keep` classifies such words."),
    "exhausted": ("model", "The review made the model, or its worker, fail `MAX_ATTEMPTS` times on its own.",
                  "`POST /v1/jobs/{id}/retry` after the cause is mended."),
    "invalid_character": ("file", "The line holds half of a surrogate pair.", "Mend the program that wrote the file."),
    "invalid_encoding": ("file", "The row holds a byte that the encoding does not have.",
                         "`encoding=` names the right one; `encoding_errors=replace` reads U+FFFD."),
    "invalid_json": ("file", "The line is no JSON, or is nested too deeply.", "Mend the line."),
    "no_label": ("training", "The label is empty, or stands for no label.", "Label the row, or leave it out."),
    "not_an_object": ("file", "The line of NDJSON is neither an object nor a string.", "Write one object a line."),
    "nul_character": ("file", "The row holds a NUL character, which PostgreSQL cannot store.", "Remove it."),
    "text_not_a_string": ("file", "The member that should be the text is missing or no string.",
                          "`text_column=` names the member."),
    "text_too_long": ("text", "The text has more characters than `MAX_REVIEW_CHARS`.", "Shorten it, or raise that."),
    "too_few_fields": ("file", "The record ends before the text column.", "Mend the record."),
    "too_many_fields": ("file", "The record has more cells than the header; the last column keeps all of them.",
                        "Quote cells that hold the delimiter; `quoting=backslash` where quotes are escaped so."),
}  # fmt: skip


def row_errors_page() -> str:
    """Return the page.

    Raises:
        ValueError: The codes described here are not those of the code.
    """
    known, found = set(CODES), codes()
    if known != found:
        raise ValueError(f"not described: {sorted(found - known)}; not in the code: {sorted(known - found)}")
    rows = [(code(name), where, meaning, advice) for name, (where, meaning, advice) in sorted(CODES.items())]
    return page("Error codes of rows", INTRODUCTION, table(["code", "found in", "meaning", "what to do"], rows))


def codes() -> set[str]:
    """Return each code with which the code fails a row: arguments of `RowError`, and `error_code=`."""
    return {each for folder in ("files", "training", "worker") for each in _codes_of(folder)}


def _codes_of(folder: str) -> Iterator[str]:
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield from _constants(node)


def _constants(call: ast.Call) -> Iterator[str]:
    given = [keyword.value for keyword in call.keywords if keyword.arg == "error_code"]
    if isinstance(call.func, ast.Name) and call.func.id == "RowError":
        given += call.args[:1]
    yield from (each.value for each in given if isinstance(each, ast.Constant) and isinstance(each.value, str))
