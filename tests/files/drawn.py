"""Draw exports with known contents, in the ways that tools write them.

Delimiter, quoting, encoding, line ends, lines before the header, width and labels are drawn independently.
"""

import csv
import io
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from files.layout import WantedColumns

LONG_SHARE = 0.05  # of files that are longer than the sample that shows the dialect, and peculiar only after it
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
    "line\u2028separator",
)
FOREIGN = {
    "western": ("Warm café scene.", "Übergroß, schön!", "naïve \u2014 but “good”…", "¿Qué tal?"),
    "cyrillic": ("Очень хорошо.", "Мне не понравилось, увы", "Так плохо; не понравилось!"),
}
MISSING = ("", "NULL", "n/a", "-")  # rows with these texts have no review
LABELS: dict[str, dict[str, str]] = {
    "words": {"Positive": "positive", "negative": "negative", "NEUTRAL": "neutral"},
    "short": {"pos": "positive", "neg": "negative"},
    "polarity": {"-1": "negative", "0": "neutral", "1": "positive"},
    "indices": {"0": "negative", "1": "neutral", "2": "positive"},
    "stars": {"1": "negative", "2": "negative", "3": "neutral", "4": "positive", "5": "positive"},
    "star floats": {"1.0": "negative", "2.0": "negative", "3.0": "neutral", "4.0": "positive", "5.0": "positive"},
    "0/4": {"0": "negative", "4": "positive"},
    "floats": {"0.0": "negative", "1.0": "positive"},
    "truth": {"true": "positive", "False": "negative"},
    "unknown": {"A": "", "B": ""},
}
QUOTINGS = ("minimal", "all", "strings", "spaced", "backslash", "none", "none", "raw", "careless", "escaped")
UNQUOTED = ("none", "raw", "escaped")
ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "mac_roman", "cp1251")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Export:
    """A file, the options of its sender, and the rows from which it was written."""

    file: bytes
    wanted: WantedColumns
    texts: list[str]
    labels: list[str]
    meant: dict[str, str]
    shape: str


@dataclass(frozen=True, slots=True)
class Columns:
    """The header, the places of text and label, and the kind of the labels."""

    names: list[str]
    text: int
    label: int
    kind: str


def draw_export(draw: random.Random) -> Export:
    """Draw a file."""
    columns = _columns(draw)
    names, text, label = columns.names, columns.text, columns.label
    quoting, encoding, delimiter = draw.choice(QUOTINGS), draw.choice(ENCODINGS), draw.choice(",;\t|")
    foreign = FOREIGN["cyrillic" if encoding == "cp1251" else "western"]
    size, quiet = (draw.randint(220, 300), 210) if draw.random() < LONG_SHARE else (draw.randint(1, 25), 0)
    rows = [_record(draw, columns, foreign, number=number, plain=number < quiet) for number in range(size)]
    # In files with line ends outside of quotes, a second fault would be hidden by the first.
    width = "fits" if quoting == "raw" else draw.choice(["fits"] * 4 + ["trailing", "row names", "short", "extra"])
    if quoting == "escaped" or 2 * sum(bool(row[-1]) for row in rows) < size:
        width = "fits"  # the cells of another width would not be certain
    rows = [_writable(row, delimiter, quoting) for row in rows]
    lines = [_written(row, delimiter, quoting) for row in rows]
    if width == "extra":
        lines = [_with_extra(draw, line, row, columns, delimiter) for line, row in zip(lines, rows, strict=True)]
    else:
        lines = [_misfit(line, width, delimiter, number) for number, line in enumerate(lines, 1)]
    wanted = WantedColumns("csv", label_column=names[label])
    # Without a header, delimiters in odd places hide the right one: the sender has to name it.
    if draw.random() < 0.1 and width == "fits" and quoting not in {"raw", "escaped"}:
        before = "no header"
        wanted = WantedColumns("csv", header="none", text_column=str(text + 1), label_column=str(label + 1))
    else:
        header = [_written(names, delimiter, "minimal" if quoting == "careless" else quoting)]
        # Survey tools write a second header line, and none of them writes row names.
        second = [] if width == "row names" else ["second"]
        before = draw.choice(["none"] * 4 + ["sep", "comment", "title", "blank", *second])
        lines = [*_before(before, delimiter, len(names)), *header, *_after(before, columns, delimiter), *lines]
    content = draw.choice(["\n", "\r\n", "\r"]).join([*lines, ""])
    if encoding in {"cp1251", "mac_roman"} and draw.random() < 0.5:
        wanted = replace(wanted, charset=encoding)
    # Characters that the encoding lacks are not the subject: Python writes a question mark in their place.
    file = content.encode(encoding, "replace")
    texts = [row[text].encode(encoding, "replace").decode(encoding) for row in rows]
    shape = f"{delimiter!r} {quoting} {encoding} {width} {before} {columns.kind}"
    return Export(file, wanted, texts, [row[label] for row in rows], LABELS[columns.kind], shape)


def _columns(draw: random.Random) -> Columns:
    kind = draw.choice(list(LABELS))
    label = "stars" if kind.startswith("star") else "sentiment"
    others = draw.sample(["id", "date", "product", "helpful", "title"], draw.randint(0, 3))
    review = draw.choice(["review", "Review Text", "reviewText", "comments", "text"])
    names = [*others, review]
    draw.shuffle(names)
    names.insert(draw.randint(0, len(names)), label)
    return Columns(names, names.index(review), names.index(label), kind)


def _record(draw: random.Random, columns: Columns, foreign: Sequence[str], *, number: int, plain: bool) -> list[str]:
    makers: dict[str, Callable[[], str]] = {
        "id": lambda: str(1000 + number),
        "date": lambda: f"2024-0{draw.randint(1, 9)}-1{draw.randint(0, 9)}",
        "product": lambda: draw.choice(["Lamp, small", "Phone", "Chair 3", "Film"]),
        "helpful": lambda: draw.choice(["0", "1", "12", ""]),
        "title": lambda: draw.choice(["Good", "So so, really", "Never again!", "5 stars", ""]),
    }
    cells = [makers[name]() if name in makers else "" for name in columns.names]
    cells[columns.label] = draw.choice(list(LABELS[columns.kind]))
    words = [draw.choice(STARTS), draw.choice(ENDS)]
    if draw.random() < 0.3 and not plain:
        words.insert(draw.randint(0, 2), draw.choice(MARKS))
    if draw.random() < 0.2 and not plain:
        words.insert(draw.randint(0, 2), draw.choice(foreign))
    cells[columns.text] = draw.choice(MISSING) if draw.random() < 0.03 else " ".join(words)
    return cells


def _writable(row: Sequence[str], delimiter: str, quoting: str) -> list[str]:
    """Return the cells as writers without quotes change them: without delimiters, and most without line ends."""
    if quoting not in {"none", "raw"}:
        return list(row)
    cells = [cell.replace(delimiter, " ") for cell in row]
    return cells if quoting == "raw" else [cell.replace("\n", " ") for cell in cells]


def _written(cells: Sequence[str], delimiter: str, quoting: str) -> str:
    if quoting in {"none", "raw"}:
        return delimiter.join(cells)
    if quoting == "careless":  # quotes within cells are not doubled
        return delimiter.join(f'"{cell}"' for cell in cells)
    if quoting == "strings":
        return delimiter.join(cell if _NUMBER.fullmatch(cell) or not cell else _doubled(cell) for cell in cells)
    if quoting == "spaced":
        return f"{delimiter} ".join(_doubled(cell) if re.search('[,;\t|"\n]', cell) else cell for cell in cells)
    out = io.StringIO(newline="")
    # With no line end to write, Python's writer would leave those within cells unquoted.
    if quoting == "backslash":
        writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL, escapechar="\\", doublequote=False)
    elif quoting == "escaped":
        writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_NONE, escapechar="\\", doublequote=False)
    else:
        writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL if quoting == "all" else csv.QUOTE_MINIMAL)
    writer.writerow(cells)
    return out.getvalue().removesuffix("\r\n")


def _doubled(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def _misfit(line: str, width: str, delimiter: str, number: int) -> str:
    """Return a record that is wider or shorter than the header."""
    if width == "trailing":
        return line + delimiter * 2
    if width == "short":
        return line.rstrip(delimiter)
    return f"{number}{delimiter}{line}" if width == "row names" else line


def _with_extra(draw: random.Random, line: str, row: Sequence[str], columns: Columns, delimiter: str) -> str:
    """Return one record in ten without quotes, with a delimiter within its text."""
    words = row[columns.text].split(" ")
    if draw.random() > 0.1 or len(words) < 3 or re.search('["\n\\\\]', "".join(row)) or delimiter in "".join(row):
        return line
    place = draw.randint(1, len(words) - 1)
    text = " ".join(words[:place]) + delimiter + " ".join(words[place:])
    return delimiter.join(text if number == columns.text else cell for number, cell in enumerate(row))


def _before(before: str, delimiter: str, width: int) -> list[str]:
    """Return the lines before the header."""
    lines = {
        "sep": [f"sep={delimiter}"],
        "comment": ["# exported by a tool"],
        "title": [f"Feedback export{delimiter * (width - 1)}", ""],
        "blank": ["", ""],
    }
    return lines.get(before, [])


def _after(before: str, columns: Columns, delimiter: str) -> list[str]:
    """Return the second line of a header, as SurveyMonkey writes it."""
    if before != "second":
        return []
    return [
        delimiter.join("Open-Ended Response" if place == columns.text else "" for place in range(len(columns.names)))
    ]
