"""Pages of a job's rows as CSV and values, against a real PostgreSQL."""

import csv
import io
import json
from typing import Any
from uuid import UUID

import pytest
from psycopg import sql

from db import exports
from db.engine import Engine, driver_cursor, transaction
from db.exports import Export
from db.models import ReviewStatus
from tests.cells import NASTY
from tests.db import steps

ALL = 2**31 - 1
LAYOUT = {"columns": ["id", "review", "stars"], "text": 1, "delimiter": ",", "encoding": "utf-8"}


def as_file(engine: Engine, others: list[list[str]], texts: list[str], **layout: Any) -> Export:
    """Add a job as from a CSV file with these cells beside the text."""
    job_id = steps.submit(engine, texts=texts)
    chosen = LAYOUT | layout
    with transaction(engine) as connection, driver_cursor(connection) as cursor:
        cursor.execute("UPDATE jobs SET layout = %s WHERE id = %s", (json.dumps(chosen), job_id))
        rows = [(cells, job_id, index) for index, cells in enumerate(others)]
        cursor.executemany("UPDATE job_rows SET others = %s WHERE job_id = %s AND index = %s", rows)
    return Export(job_id, chosen)


def page(engine: Engine, export: Export, *, after: int = -1, end: int = ALL, starts: tuple[str, ...] = ()) -> str:
    with transaction(engine) as connection:
        return exports.csv_page(connection, export, after, end, starts).decode()


def page_ends(engine: Engine, job_id: UUID) -> list[int]:
    """Return the last index of each page of a job."""
    ends, after = [], -1
    with transaction(engine) as connection:
        while (end := exports.page_end(connection, job_id, after)) is not None:
            ends.append(end)
            after = end
    return ends


def test_a_page_holds_so_many_rows(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE_ROWS", 4)
    assert page_ends(engine, steps.submit(engine, 10)) == [3, 7, 9]


def test_a_page_holds_so_many_bytes_and_always_a_row(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE_BYTES", 10)
    texts = ["aaaaa", "bbbbb", "c" * 5_000_000, "d", "éééé", "ee"]
    assert page_ends(engine, steps.submit(engine, texts=texts)) == [1, 2, 4, 5]


def test_the_other_cells_count_too(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE_BYTES", 300)
    export = as_file(engine, [["x" * 200, ""]] * 3, ["a", "b", "c"])
    assert page_ends(engine, export.job_id) == [0, 1, 2]


def test_an_empty_job_has_no_page(engine: Engine) -> None:
    assert page_ends(engine, UUID(int=0)) == []


def test_cells_keep_their_positions(engine: Engine) -> None:
    export = as_file(engine, [["7", "five"], ["8", "none"]], ["a fine film", "a dull film"])
    assert page(engine, export) == "7,a fine film,five,,,queued,,\n8,a dull film,none,,,queued,,\n"


@pytest.mark.parametrize(("text", "line"), [(0, "t,0,1"), (1, "0,t,1"), (2, "0,1,t")])
def test_the_text_column_may_be_at_any_position(engine: Engine, text: int, line: str) -> None:
    assert page(engine, as_file(engine, [["0", "1"]], ["t"], text=text)).startswith(f"{line},")


def test_missing_cells_are_empty_and_too_many_are_left_out(engine: Engine) -> None:
    export = as_file(engine, [[], ["only"], ["1", "2", "3"]], ["a", "b", "c"])
    assert [line.split(",")[:3] for line in page(engine, export).splitlines()] == [
        ["", "a", ""],
        ["only", "b", ""],
        ["1", "c", "2"],
    ]


def test_an_empty_cell_is_not_quoted(engine: Engine) -> None:
    assert page(engine, as_file(engine, [["", ""]], ["a"])).startswith(",a,,")


def test_an_empty_cell_of_the_only_column_is_quoted_as_it_must_have_been(engine: Engine) -> None:
    export = as_file(engine, [[]], ["a"], columns=["review"], text=0)
    with transaction(engine) as connection, driver_cursor(connection) as cursor:
        cursor.execute("UPDATE job_rows SET text = ''")
    assert page(engine, export).startswith('"",')


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_cell_is_read_back_equal(engine: Engine, delimiter: str) -> None:
    export = as_file(engine, [[cell, cell[::-1]] for cell in NASTY], NASTY, delimiter=delimiter)
    read = csv.reader(io.StringIO(page(engine, export), newline=""), delimiter=delimiter)
    assert [row[:3] for row in read] == [[cell, cell, cell[::-1]] for cell in NASTY]


def test_a_cell_that_starts_like_a_formula_gets_an_apostrophe(engine: Engine) -> None:
    export = as_file(engine, [["@a", "a@"]], ["=1+1"])
    assert page(engine, export, starts=("=", "@")).startswith("'@a,'=1+1,a@,")


def test_a_job_that_came_as_json_has_index_id_and_text(engine: Engine) -> None:
    export = Export(steps.submit(engine, texts=["-a"]))
    assert page(engine, export, starts=("-",)) == "0,id-0,'-a,,,queued,,\n"


def test_the_result_of_a_row_follows_its_cells(engine: Engine, model_id: int) -> None:
    export = Export(steps.submit(engine, texts=["good", "bad", "same", "same"]))
    claimed = steps.must_claim(engine)
    fine, worse, *rest = claimed.reviews
    outcomes = [steps.judged(fine), steps.broken(worse), *map(steps.judged, rest)]
    steps.complete(engine, claimed.token, model_id, outcomes, last=True)
    assert page(engine, export).splitlines() == [
        "0,id-0,good,positive,0.75,succeeded,,0",
        "1,id-1,bad,,,failed,exhausted: it broke,0",
        "2,id-2,same,positive,0.75,succeeded,,0",
        "3,id-3,same,positive,0.75,succeeded,,0",
    ]
    assert (
        page(engine, Export(export.job_id, None, ReviewStatus.FAILED)) == "1,id-1,bad,,,failed,exhausted: it broke,0\n"
    )


def test_values_are_typed_and_a_missing_cell_is_empty(engine: Engine, model_id: int) -> None:
    export = as_file(engine, [["=7"]], ["a fine film"])
    steps.complete_all(engine, steps.must_claim(engine), model_id)
    with transaction(engine) as connection:
        rows = exports.values_page(connection, export, -1, ALL)
    assert rows == [("=7", "a fine film", "", "positive", 0.75, "succeeded", None, "0")]


def test_a_page_looks_each_review_up_by_its_key(engine: Engine) -> None:
    """Without statistics, as after an upload."""
    export = Export(steps.submit(engine, 3_000))
    statement = sql.SQL("EXPLAIN {}").format(exports._select(export, exports._own(export), -1, 999))
    with transaction(engine) as connection, driver_cursor(connection) as cursor:
        plan = "\n".join(line for (line,) in cursor.execute(statement))
    assert "pk_reviews" in plan
    assert "Hash" not in plan
    assert "Seq Scan on reviews" not in plan
