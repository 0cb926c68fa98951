"""Rows are dataclasses; a statement whose columns differ from the fields is refused."""

from dataclasses import dataclass

import pytest
from sqlalchemy import text
from sqlalchemy.exc import MultipleResultsFound

from db.engine import Engine, one_trip, reading
from db.rows import all_rows, columns, one_row


@dataclass(slots=True)
class Pair:
    index: int
    count: str | None


def pairs(engine: Engine, select: str) -> list[Pair]:
    with reading(engine) as connection:
        return all_rows(Pair, connection.execute(text(select)))


def test_rows_are_read_by_sqlalchemy_and_by_psycopg(engine: Engine) -> None:
    select = "SELECT 1 AS index, 'a' AS count UNION ALL SELECT 2, NULL ORDER BY 1"
    assert pairs(engine, select) == [Pair(1, "a"), Pair(2, None)]
    with one_trip(engine) as pipeline:
        cursor = pipeline.execute(text(f"SELECT * FROM ({select}) AS pair WHERE index = :wanted"), {"wanted": 2}, Pair)  # noqa: S608
    assert cursor.fetchall() == [Pair(2, None)]


@pytest.mark.parametrize("select", ["SELECT 1 AS index", "SELECT 'a' AS count, 1 AS index", "SELECT 1 AS index, 2, 3"])
def test_other_columns_are_refused(engine: Engine, select: str) -> None:
    with pytest.raises(TypeError, match="are not those of Pair: index, count"):
        pairs(engine, select)

    with one_trip(engine) as pipeline:
        cursor = pipeline.execute(text(select), {}, Pair)
    with pytest.raises(TypeError, match="are not those of Pair: index, count"):
        cursor.fetchall()


def test_one_row_or_none(engine: Engine) -> None:
    select = "SELECT n AS index, 'a' AS count FROM generate_series(1, :most) AS n"
    with reading(engine) as connection:
        assert one_row(Pair, connection.execute(text(select), {"most": 0})) is None
        assert one_row(Pair, connection.execute(text(select), {"most": 1})) == Pair(1, "a")
        with pytest.raises(MultipleResultsFound):
            one_row(Pair, connection.execute(text(select), {"most": 2}))


def test_the_columns_of_a_select_are_the_fields() -> None:
    assert columns(Pair) == "index, count"
