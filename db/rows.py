"""Typed rows: dataclasses whose fields are the columns of a statement, in the same order.

They are not frozen: a frozen one of 22 fields takes 10 times as long to create, which a page of results would feel.
"""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import psycopg
from psycopg.rows import RowMaker
from sqlalchemy import CursorResult

T = TypeVar("T")


def row_factory(kind: type[T]) -> Callable[["psycopg.Cursor[Any]"], RowMaker[T]]:
    """Return psycopg's row factory for a dataclass; TypeError at the first row if columns and fields differ."""
    make: Callable[..., T] = kind

    def factory(cursor: "psycopg.Cursor[Any]") -> RowMaker[T]:
        # Not from `cursor.description`, which creates an object for each column at each execution.
        result = cursor.pgresult
        found = [result.fname(place) for place in range(result.nfields)] if result else []
        if found == [name.encode() for name in _names(kind)]:
            return lambda values: make(*values)
        # Not raised here: psycopg would lose track of the other results of a pipeline.
        return lambda _: _refuse(kind, [(name or b"").decode() for name in found])

    return factory


def all_rows(kind: type[T], result: CursorResult[Any]) -> list[T]:
    """Return the rows of SQLAlchemy's result; TypeError if columns and fields differ."""
    _check(kind, list(result.keys()))
    make: Callable[..., T] = kind
    return [make(*row) for row in result]


def one_row(kind: type[T], result: CursorResult[Any]) -> T | None:
    """Return the only row, or None; errors as `all_rows`, and MultipleResultsFound."""
    _check(kind, list(result.keys()))
    row = result.one_or_none()
    make: Callable[..., T] = kind
    return None if row is None else make(*row)


def columns(kind: type[Any]) -> str:
    """Return the columns of a SELECT for a dataclass."""
    return ", ".join(_names(kind))


def _names(kind: type[Any]) -> list[str]:
    return list(kind.__dataclass_fields__)


def _check(kind: type[Any], found: Sequence[str]) -> None:
    if found != _names(kind):
        _refuse(kind, found)


def _refuse(kind: type[Any], found: Sequence[str]) -> NoReturn:
    raise TypeError(f"the columns {', '.join(found)} are not those of {kind.__name__}: {columns(kind)}")
