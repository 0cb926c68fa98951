"""The log of a training command: all records go into a file, those of interest to the user also to the terminal."""

import io
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

LOG = logging.getLogger("training")
# Every record of these libraries is kept, even below the level that they print.
LIBRARIES = ("transformers", "datasets", "torch", "optuna")


@contextmanager
def on_screen(*, verbose: bool) -> Iterator[None]:
    """Print the log on stderr until the block ends: evaluations and results, or with `verbose` every record."""
    screen = logging.StreamHandler(sys.stderr)
    screen.setLevel(logging.DEBUG if verbose else logging.INFO)
    with _attached(screen):
        yield


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Append every record until the block ends to a file, with its time."""
    file = logging.FileHandler(path, encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    try:
        with _attached(file):
            yield
    finally:
        file.close()


@contextmanager
def _attached(handler: logging.Handler) -> Iterator[None]:
    level = LOG.level
    LOG.addHandler(handler)
    LOG.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        LOG.removeHandler(handler)
        LOG.setLevel(level)


class _Notes(logging.Handler):
    """Forwards records of other loggers to the log of training."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.split(".")[0] == LOG.name:
            return
        LOG.getChild(record.name).debug("%s: %s", record.levelname, record.getMessage())


@contextmanager
def notes_of_libraries(part: str) -> Iterator[None]:
    """Log the warnings, records and output of libraries in the block, so that a command prints only its own lines."""
    log, printed, notes = LOG.getChild(part), io.StringIO(), _Notes()
    loggers = [logging.getLogger(name) for name in (None, *LIBRARIES)]
    handlers = [each.handlers[:] for each in loggers]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for each in loggers:
            each.handlers[:] = [] if each.propagate and each.parent else [notes]
        try:
            with redirect_stdout(printed):
                yield
        finally:
            for each, own in zip(loggers, handlers, strict=True):
                each.handlers[:] = own
    for warning in caught:
        log.debug("%s: %s", warning.category.__name__, " ".join(str(warning.message).split()))
    for line in filter(None, map(str.strip, printed.getvalue().splitlines())):
        log.debug("%s", line)
