"""What `verdict train`, `export` and `evaluate` share: one-line errors, the command to record, and output."""

import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

USAGE_ERROR = 2

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="YAML file with the recipe.")]
OverrideOption = Annotated[
    list[str] | None, typer.Option("--override", "-o", help="key=value laid over the file; may be repeated.")
]


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn a missing extra or a mistake in the input into one line on stderr and exit code 2."""
    try:
        # Missing as a whole without the extras, so it must be inside the block.
        from training.errors import TrainingError
        from worker.registry import ModelError
    except ImportError as exc:
        _leave(_missing(exc))
    try:
        yield
    except ImportError as exc:
        _leave(_missing(exc))
    except (TrainingError, ModelError) as exc:
        _leave(str(exc))


def _missing(exc: ImportError) -> str:
    return f"{exc.name} is not installed; pip install 'verdict[worker,train]' and torch (see the README)."


def _leave(message: str) -> None:
    print(message, file=sys.stderr)
    raise SystemExit(USAGE_ERROR)


def command_line(argv: Sequence[str]) -> str:
    """Return the command as a reader would type it, without the path of the interpreter or the script."""
    return shlex.join([Path(argv[0]).name, *argv[1:]])


def show(record: Mapping[str, object], *, title: str, as_json: bool) -> None:
    """Print a record as indented JSON or as a table of two columns; nested mappings are spelled `outer.inner`."""
    if as_json:
        print(json.dumps(record, indent=2))
        return
    table = Table("what", "value", title=title)
    for name, value in _flat(record):
        table.add_row(name, value)
    Console().print(table)


def _flat(record: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name}", f"{value:.4f}" if isinstance(value, float) else str(value)
