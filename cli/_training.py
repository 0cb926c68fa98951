"""Shared by the commands of training: one-line errors, the recorded command line, and tables."""

import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

USAGE_ERROR = 2

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="YAML file with the recipe.")]
OverrideOption = Annotated[
    list[str] | None,
    typer.Option("--override", "-o", help="key=value in place of the value in the file; may be repeated."),
]

VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Print every step, and the notes of libraries.")]


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn a missing extra or a mistake in the input into one line on stderr and exit code 2."""
    try:
        # Without the extras the import itself fails, so it must be inside the block.
        from inference.manifest import ModelError
        from training.errors import TrainingError
    except ImportError as exc:
        _leave(_missing(exc))
    try:
        yield
    except ImportError as exc:
        _leave(_missing(exc))
    except (TrainingError, ModelError) as exc:
        _leave(str(exc))


def _missing(exc: ImportError) -> str:
    return (
        f"{exc.name} is not installed; `make test` installs the packages of training (the extras `worker` and `train`)."
    )


def _leave(message: str) -> None:
    print(message, file=sys.stderr)
    raise SystemExit(USAGE_ERROR)


def command_line(argv: Sequence[str]) -> str:
    """Return the command as a user types it, without the path of the interpreter or the script."""
    return shlex.join([Path(argv[0]).name, *argv[1:]])


def show(record: Mapping[str, object], *, title: str, as_json: bool) -> None:
    """Print a record as indented JSON or as tables.

    The first has two columns, with nested mappings as `outer.inner`; a list of mappings is a table of its own.
    """
    if as_json:
        print(json.dumps(record, indent=2))
        return
    table = Table("figure", "value", title=title)
    lists = []
    for name, value in _flat(record):
        if _is_table(value):
            lists.append((name, value))
        else:
            table.add_row(name, _cell(value))
    console = Console()
    console.print(table)
    for name, rows in lists:
        console.print(_listed(name, rows))


def _flat(record: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name}", value


def _is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, Mapping) for each in value)


def _listed(name: str, rows: Sequence[Mapping[str, object]]) -> Table:
    """Return a row for each mapping, and a column for each of its values that is no list or mapping."""
    columns = {key for row in rows for key, value in row.items() if not isinstance(value, list | Mapping | None)}
    ordered = [key for row in rows for key in row if key in columns]
    names = list(dict.fromkeys(ordered))
    table = Table(*names, title=name)
    for row in rows:
        table.add_row(*(_cell(row.get(key)) for key in names))
    return table


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
