"""Pages of a job's rows with their results, as CSV or as values.

A page is a range of indices with a few megabytes of data, read in a transaction of its own. No connection is held
between two pages, however slowly a client reads.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import sql
from sqlalchemy import Connection, text

from db.engine import driver_cursor
from db.models import ReviewStatus
from files.csv_out import JSON_COLUMNS, SIGNED_NUMBER, own_cells
from files.layout import Layout

PAGE_BYTES = 4_000_000
PAGE_ROWS = 5_000
#: Above this number of columns `csv_page` is slower than Python. PostgreSQL scans the array from its start for each
#: cell: 5,000 rows take 0.2 s with 50 columns, as in Python, and 4 s with 300, against 1.7 s in Python.
COPY_COLUMNS = 50
INDEX = sql.SQL("sent.index")


@dataclass(frozen=True, slots=True)
class Export:
    """The rows to export, and the layout of the file that they came in (`jobs.layout`)."""

    job_id: UUID
    layout: dict[str, Any] | None = None
    status: ReviewStatus | None = None

    @property
    def columns(self) -> Sequence[str]:
        """Return the names of the caller's own columns."""
        return self.layout["columns"] if self.layout else JSON_COLUMNS

    @property
    def delimiter(self) -> str:
        """Return the separator between two cells."""
        return self.layout["delimiter"] if self.layout else ","


# octet_length reads only the header of a text, so finding the end of a page decompresses nothing.
_LAST = text("""
SELECT max(index) FROM (
    SELECT index, row_number() OVER ahead AS place,
           sum(octet_length(text) + coalesce(pg_column_size(others), 0)) OVER ahead AS bytes
    FROM job_rows WHERE job_id = :job AND index > :after
    WINDOW ahead AS (ORDER BY index ROWS UNBOUNDED PRECEDING) ORDER BY index LIMIT :rows
) AS sent
WHERE place = 1 OR bytes <= :bytes
""")


def page_end(connection: Connection, job_id: UUID, after: int) -> int | None:
    """Return the index of the last row of the page that follows index `after`; None at the end of the job."""
    parameters = {"job": job_id, "after": after, "rows": PAGE_ROWS, "bytes": PAGE_BYTES}
    end: int | None = connection.scalar(_LAST, parameters)
    return end


def csv_page(connection: Connection, export: Export, after: int, end: int, formula_starts: Sequence[str]) -> bytes:
    """Return rows in (after, end] as CSV without a header.

    Prefix a `'` to each of the caller's cells that begins with one of `formula_starts`.

    The caller's own columns come first, then ours: sentiment, confidence, status, error, model_version.
    """
    own = [_csv_cell(export, cell, formula_starts) for cell in _own(export)]
    statement = sql.SQL("COPY ({}) TO STDOUT WITH (FORMAT csv, DELIMITER {}, ENCODING 'UTF8')").format(
        _select(export, own, after, end), sql.Literal(export.delimiter)
    )
    with driver_cursor(connection) as cursor, cursor.copy(statement) as copy:
        return b"".join(copy)


def values_page(connection: Connection, export: Export, after: int, end: int) -> list[tuple[Any, ...]]:
    """Return rows in (after, end] as values, in the columns of `csv_page`; their number is not limited."""
    own = [sql.SQL("sent.text"), sql.SQL("sent.others")] if export.layout else _own(export)
    with driver_cursor(connection) as cursor:
        rows = cursor.execute(_select(export, own, after, end)).fetchall()
    if not export.layout:
        return rows
    layout = Layout(id=None, label=None, **export.layout | {"columns": tuple(export.columns)})
    return [(*own_cells(layout, body, others or ()), *ours) for body, others, *ours in rows]


# LIMIT forces a look-up by key for each row. Without it, and without fresh statistics, the planner may hash all reviews
# of a large job for every page.
_ROWS = sql.SQL("""
SELECT {own}, model.labels[review.label + 1], review.probabilities[review.label + 1],
       coalesce(review.status, 'failed'),
       coalesce(sent.error_code, review.error_code) || ': ' || coalesce(sent.error_detail, review.error_detail),
       model.version
FROM job_rows AS sent
LEFT JOIN LATERAL (SELECT * FROM reviews WHERE id = sent.review_id LIMIT 1) AS review ON true
LEFT JOIN models AS model ON model.id = review.model_id
WHERE sent.job_id = {job} AND sent.index > {after} AND sent.index <= {end} AND {wanted}
ORDER BY sent.index
""")


def _select(export: Export, own: Sequence[sql.Composable], after: int, end: int) -> sql.Composed:
    # COPY takes no parameters, so the values are literals.
    status = sql.SQL("coalesce(review.status, 'failed') = {}").format(sql.Literal(str(export.status)))
    return _ROWS.format(
        own=sql.SQL(", ").join(own),
        job=sql.Literal(export.job_id),
        after=sql.Literal(after),
        end=sql.Literal(end),
        wanted=status if export.status else sql.SQL("true"),
    )


def _own(export: Export) -> list[sql.Composable]:
    if export.layout is None:
        return [INDEX, sql.SQL("sent.caller_id"), sql.SQL("sent.text")]
    return list(_cells(len(export.layout["columns"]), export.layout["text"]))


def _cells(columns: int, text_column: int) -> Iterator[sql.Composable]:
    for column in range(columns):
        if column == text_column:
            yield sql.SQL("sent.text")
        else:  # arrays count from 1, and `others` has no element for the text
            place = column + 1 if column < text_column else column
            yield sql.SQL("sent.others[{}]").format(sql.Literal(place))


def _csv_cell(export: Export, cell: sql.Composable, formula_starts: Sequence[str]) -> sql.Composable:
    """Return the expression of a cell for COPY: an empty cell is written without quotes, as most writers do."""
    if cell == INDEX:
        return cell  # a number
    if formula_starts:
        starts = sql.Literal(list(formula_starts))
        number = sql.Literal(f"^({SIGNED_NUMBER})$")
        cell = sql.SQL("CASE WHEN left({0}, 1) = ANY ({1}) AND {0} !~ {2} THEN '''' || {0} ELSE {0} END").format(
            cell, starts, number
        )
    # In a table of one column an empty cell must be quoted, since its line would be blank.
    return cell if len(export.columns) == 1 else sql.SQL("nullif({}, '')").format(cell)
