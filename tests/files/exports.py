"""Count how generated exports are read: `python -m tests.files.exports --files 20000`.

A file may be refused and a row may fail, with a message. A row that is classified must be a row that was written, and
no row may vanish or appear.
"""

import argparse
import random
import re
import sys
from collections import Counter
from collections.abc import Sequence

from files.errors import FileRefused
from files.labels import folded, meanings
from files.layout import Limits, Table
from files.reader import read
from files.row import Row
from tests.files.drawn import MISSING, Export, draw_export

LIMITS = Limits(bytes=10_000_000, rows=10_000, review_chars=10_000)
MODEL = ("negative", "neutral", "positive")
SHOWN = 20
# A row with one of these errors may be more or less than one written row.
BROKEN = {"broken_quotes", "broken_line", "too_few_fields", "too_many_fields"}


def outcome_of(export: Export) -> str:
    """Return `read`, `failed` if rows failed with a message, `refused …`, or `WRONG: …` for a silent error."""
    try:
        table = read([export.file], export.wanted, LIMITS)
        rows = list(table.rows)
    except FileRefused as refused:
        return f"refused {refused.code}"
    return _wrong_rows(export, rows) or _wrong_labels(export, table, rows) or _outcome(rows)


def _outcome(rows: Sequence[Row]) -> str:
    codes = {row.error.code for row in rows if row.error} - {"empty_text"}
    return f"failed {min(codes)}" if codes else "read"


def _wrong_rows(export: Export, rows: Sequence[Row]) -> str | None:
    if len(rows) != len(export.texts) and not any(row.error.code in BROKEN for row in rows if row.error):
        return f"WRONG: {len(rows)} rows of {len(export.texts)}"
    written = Counter(
        (_same(text), label) for text, label in zip(export.texts, export.labels, strict=True) if text not in MISSING
    )
    read_rows = Counter((_same(row.text), (row.label or "").strip()) for row in rows if not row.error)
    if read_rows - written:
        return f"WRONG: {next(iter(read_rows - written))!r} was never written"
    return None


def _same(text: str) -> str:
    """Return the text with one kind of line end and without escapes: a file with few of them does not show them."""
    return re.sub(r'\\([\\"])', r"\1", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def _wrong_labels(export: Export, table: Table, rows: Sequence[Row]) -> str | None:
    values = [row.label or "" for row in rows if not row.error]
    place = table.layout.label
    column = table.layout.columns[place] if place is not None else ""
    found = meanings({folded(value) for value in values if value}, MODEL, column=column)
    for value in values:
        label = found.of.get(folded(value))
        if not found.problem and label is not None and label != export.meant.get(value.strip()):
            return f"WRONG: the label {value} was read as {label}"
    return None


def main() -> None:
    """Draw files and count how they are read; exit with 1 if one is read wrongly."""
    arguments = argparse.ArgumentParser(description=main.__doc__)
    arguments.add_argument("--files", type=int, default=20_000)
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()
    outcomes, wrong = Counter[str](), 0
    for number in range(given.files):
        export = draw_export(random.Random(given.seed + number))
        outcome = outcome_of(export)
        outcomes[outcome.partition(":")[0]] += 1
        if outcome.startswith("WRONG"):
            wrong += 1
            if wrong <= SHOWN:
                sys.stdout.write(f"seed {given.seed + number}: {outcome} ({export.shape})\n")
    sys.stdout.write("\n".join(f"{count:>6,} {outcome}" for outcome, count in outcomes.most_common()) + "\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
