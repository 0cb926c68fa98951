"""Makes exports of which the truth is known, as tools write them: `python -m tests.files.exports --files 20000`.

Delimiter, quoting, encoding, lines before the header, width and labels are drawn independently. A file may be refused
or a row may fail, with words; what is judged must be what was written, and no row may vanish or appear.
"""

import argparse
import csv
import io
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from files.errors import FileRefused
from files.labels import folded, meanings
from files.layout import Limits, Table, WantedColumns
from files.reader import read

LONG_SHARE = 0.05  # of files that are longer than the part by which a dialect is chosen, and odd only behind it
LIMITS = Limits(bytes=10_000_000, rows=10_000, review_chars=10_000)
MODEL = ("negative", "neutral", "positive")
STARTS = ("The film was", "I found the hotel", "This phone is", "Honestly, it was", "Our stay was", "Delivery was")
ENDS = ("lovely.", "dull and far too long", "warm; funny, and short!", "not worth the money", "fine", "a gem - go")
MARKS = (
    'They call it "warm".',
    'A 5" screen, of all things.',
    '"Never again',
    'Nice"',
    '"Lovely" is the word.',
    "C:\\new\\films was the path.",
    "It ends with a backslash \\",
    "first line\nsecond line, of two",
    "one\n\ntwo; three\nfour",
    "tab\there",
    "a|b",
)
FOREIGN = ("Warm café scene.", "Übergroß, schön!", "naïve \u2014 but “good”…", "¿Qué tal?")
LABELS: dict[str, dict[str, str]] = {
    "words": {"Positive": "positive", "negative": "negative", "NEUTRAL": "neutral"},
    "short": {"pos": "positive", "neg": "negative"},
    "polarity": {"-1": "negative", "0": "neutral", "1": "positive"},
    "stars": {"1": "negative", "2": "negative", "3": "neutral", "4": "positive", "5": "positive"},
    "0/4": {"0": "negative", "4": "positive"},
    "truth": {"true": "positive", "False": "negative"},
    "unknown": {"A": "", "B": ""},
}


@dataclass(frozen=True, slots=True)
class Export:
    """A file, what its sender says of it, and the rows that it was written from."""

    file: bytes
    wanted: WantedColumns
    texts: list[str]
    labels: list[str]
    meant: dict[str, str]
    shape: str


def draw_export(draw: random.Random) -> Export:
    """Draw a file."""
    kind = draw.choice(list(LABELS))
    others = draw.sample(["id", "date", "product", "helpful"], draw.randint(0, 3))
    names = [*others, draw.choice(["review", "Review Text", "reviewText", "comments", "text"])]
    names.insert(draw.randint(0, len(names)), "stars" if kind == "stars" else "sentiment")
    text = next(place for place, name in enumerate(names) if name not in {*others, "stars", "sentiment"})
    label = names.index("stars" if kind == "stars" else "sentiment")
    size, quiet = (draw.randint(220, 300), 210) if draw.random() < LONG_SHARE else (draw.randint(1, 25), 0)
    rows = [_record(draw, names, text, label, kind=kind, number=number, plain=number < quiet) for number in range(size)]
    delimiter = draw.choice(",;\t|")
    quoting = draw.choice(["minimal", "all", "backslash", "none", "none", "raw"])
    if quoting == "none":
        rows = [[_plain(cell, delimiter) for cell in row] for row in rows]
    if quoting == "raw":
        rows = [[cell.replace(delimiter, " ") for cell in row] for row in rows]
    lines = [_written(names, delimiter, quoting), *(_written(row, delimiter, quoting) for row in rows)]
    # Where few rows have two faults at once, line ends without quotes look like the other fault.
    width = "fits" if quoting == "raw" else draw.choice(["fits"] * 4 + ["trailing", "row names"])
    lines = [lines[0], *(_misfit(line, width, delimiter, number) for number, line in enumerate(lines[1:], 1))]
    lines, before = _preamble(draw, lines, delimiter, len(names))
    wanted = WantedColumns("csv", label_column=names[label])
    if draw.random() < 0.1 and before == "none" and width == "fits":
        lines, before = lines[1:], "no header"
        wanted = WantedColumns("csv", header="none", text_column=str(text + 1), label_column=str(label + 1))
    content = draw.choice(["\n", "\r\n"]).join([*lines, ""])
    encoding = draw.choice(["utf-8", "utf-8-sig", "utf-16", "cp1252", "mac_roman"])
    file = content.encode(encoding)
    shape = f"{delimiter!r} {quoting} {encoding} {width} {before} {kind}"
    return Export(file, wanted, [row[text] for row in rows], [row[label] for row in rows], LABELS[kind], shape)


def _record(
    draw: random.Random, names: Sequence[str], text: int, label: int, *, kind: str, number: int, plain: bool
) -> list[str]:
    makers: dict[str, Callable[[], str]] = {
        "id": lambda: str(1000 + number),
        "date": lambda: f"2024-0{draw.randint(1, 9)}-1{draw.randint(0, 9)}",
        "product": lambda: draw.choice(["Lamp, small", "Phone", "Chair 3", "Film"]),
        "helpful": lambda: draw.choice(["0", "1", "12", ""]),
    }
    cells = [makers[name]() if name in makers else "" for name in names]
    cells[label] = draw.choice(list(LABELS[kind]))
    words = [draw.choice(STARTS), draw.choice(ENDS)]
    if draw.random() < 0.3 and not plain:
        words.insert(draw.randint(0, 2), draw.choice(MARKS))
    if draw.random() < 0.2 and not plain:
        words.insert(draw.randint(0, 2), draw.choice(FOREIGN))
    cells[text] = " ".join(words)
    return cells


def _plain(cell: str, delimiter: str) -> str:
    """A cell that can be written without quotes: as such writers do, without delimiters and line ends."""
    return cell.replace(delimiter, " ").replace("\n", " ")


def _written(cells: Sequence[str], delimiter: str, quoting: str) -> str:
    if quoting in {"none", "raw"}:
        return delimiter.join(cells)
    out = io.StringIO(newline="")
    # With no line end to write, Python's writer would leave those within cells unquoted.
    if quoting == "backslash":
        writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL, escapechar="\\", doublequote=False)
    else:
        writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL if quoting == "all" else csv.QUOTE_MINIMAL)
    writer.writerow(cells)
    return out.getvalue().removesuffix("\r\n")


def _misfit(line: str, width: str, delimiter: str, number: int) -> str:
    """A record wider than the header."""
    if width == "trailing":
        return line + delimiter * 2
    return f"{number}{delimiter}{line}" if width == "row names" else line


def _preamble(draw: random.Random, lines: list[str], delimiter: str, width: int) -> tuple[list[str], str]:
    """Lines before the header."""
    match draw.choice(["none"] * 4 + ["sep", "comment", "title"]):
        case "sep":
            return [f"sep={delimiter}", *lines], "sep"
        case "comment":
            return ["# exported by a tool", *lines], "comment"
        case "title":
            return [f"Feedback export{delimiter * (width - 1)}", "", *lines], "title"
        case _:
            return lines, "none"


def verdict_on(export: Export) -> str:
    """Return `read`, `failed` where some rows fail with words, `refused`, or `WRONG: …` where it is silently so."""
    try:
        table = read([export.file], export.wanted, LIMITS)
        rows = list(table.rows)
    except FileRefused as refused:
        return f"refused {refused.code}"
    failed = [row for row in rows if row.error]
    said = {"broken_quotes", "broken_line", "too_few_fields", "too_many_fields"}  # more or less than one row
    if len(rows) != len(export.texts) and not any(row.error.code in said for row in failed if row.error):
        return f"WRONG: {len(rows)} rows of {len(export.texts)}"
    written = Counter(zip(map(_same, export.texts), export.labels, strict=True))
    judged = Counter((_same(row.text), row.label or "") for row in rows if not row.error)
    if judged - written:
        return f"WRONG: {next(iter(judged - written))!r} was never written"
    return _labels(export, table, [row.label or "" for row in rows if not row.error]) or (
        "failed" if failed else "read"
    )


def _same(text: str) -> str:
    r"""Line ends within a text are those of the file; without any \" in it nothing shows that \\ is one backslash."""
    return text.replace("\r\n", "\n").replace("\\\\", "\\").strip()


def _labels(export: Export, table: Table, values: Sequence[str]) -> str | None:
    place = table.layout.label
    column = table.layout.columns[place] if place is not None else ""
    found = meanings({folded(value) for value in values if value}, MODEL, column=column)
    for value in values:
        label = found.of.get(folded(value))
        if not found.problem and label is not None and label != export.meant.get(value):
            return f"WRONG: the label {value} was read as {label}"
    return None


def main() -> None:
    """Draw files and count what became of them."""
    arguments = argparse.ArgumentParser(description=main.__doc__)
    arguments.add_argument("--files", type=int, default=20_000)
    arguments.add_argument("--seed", type=int, default=0)
    told = arguments.parse_args()
    outcomes, wrong = Counter[str](), 0
    for number in range(told.files):
        export = draw_export(random.Random(told.seed + number))
        outcome = verdict_on(export)
        outcomes[outcome.partition(":")[0]] += 1
        if outcome.startswith("WRONG"):
            wrong += 1
            if wrong <= 20:
                sys.stdout.write(f"seed {told.seed + number}: {outcome} ({export.shape})\n")
    sys.stdout.write(", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.most_common()) + "\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
