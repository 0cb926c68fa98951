"""Read JSON: one object or string a line, or one array of them; each becomes a row."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

from files.columns import choose, has_text
from files.errors import EmptyFile, NoTextColumn, NotNdjson, shown
from files.json_values import Value, values
from files.layout import Decoded, Layout, Limits, Table, WantedColumns
from files.row import Row, RowError, text_error

SAMPLE = 100  # values among which the names are looked for; the first may lack the text
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # PostgreSQL's text takes none of them


class Names(NamedTuple):
    """The members of an object that Verdict reads; a dot leads into a nested object."""

    text: str
    id: str | None
    label: str | None


def read_ndjson(text: Decoded, wanted: WantedColumns, limits: Limits) -> Table:
    """Read the first values now to settle the names, and the rows as they are iterated."""
    found = values(text, limits.record_chars)
    sample = list(islice(found, SAMPLE))
    if not sample:
        raise EmptyFile("The file is empty; send one JSON object a line.")
    names = _names(sample, wanted)
    used = list(dict.fromkeys(name for name in names if name is not None))
    columns = tuple(map(_storable, used))
    layout = Layout(columns, 0, _place(used, names.id), _place(used, names.label), ",", text.encoding)
    reader = RowReader(text, names, wanted, limits)
    rows = (reader.row(index, value) for index, value in enumerate(chain(sample, found)))
    return Table(layout, rows, is_table=False)


def _names(sample: Sequence[Value], wanted: WantedColumns) -> Names:
    whole = wanted.text_column or "text"
    objects = [_members(value.content, whole) for value in sample]
    known = [members for members in objects if not isinstance(members, RowError)]
    if isinstance(objects[0], RowError) and (len(known) < 2 or objects[0].code == "invalid_json"):
        raise NotNdjson(
            f"Line {sample[0].line:,} does not begin an NDJSON file, one JSON object a line: {objects[0].detail}"
        )
    names = list(known[0])
    if not has_text(names, wanted):
        names = list(dict.fromkeys(chain.from_iterable(known)))
    names += dict.fromkeys(f"{outer}.{inner}" for members in known for outer, inner in _inner(members))
    cells = [[value if isinstance(value := _member(members, name), str) else "" for name in names] for members in known]
    text, id_, label = choose(names, wanted, cells)
    given = [value for members in known if (value := _member(members, names[text])) is not None]
    if given and all(isinstance(value, (dict, list)) for value in given):
        raise NoTextColumn(
            f"The member {shown(names[text])} is an object or a list; give the path of the text, "
            f"as in text_column={names[text][:40]}.text."
        )
    return Names(names[text], None if id_ is None else names[id_], None if label is None else names[label])


def _inner(members: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    return ((outer, inner) for outer, value in members.items() if isinstance(value, dict) for inner in value)


def _member(members: Mapping[str, Any], name: str | None) -> Any:
    """Return the member of this name, or the nested member at the path of a dotted name."""
    if name is None or name in members or "." not in name:
        return members.get(name) if name is not None else None
    outer, _, inner = name.partition(".")
    while outer not in members and "." in inner:
        more, _, inner = inner.partition(".")
        outer = f"{outer}.{more}"
    within = members.get(outer)
    return _member(within, inner) if isinstance(within, dict) else None


def _place(names: Sequence[str], name: str | None) -> int | None:
    return None if name is None else names.index(name)


class RowReader:
    """Convert values to rows."""

    def __init__(self, text: Decoded, names: Names, wanted: WantedColumns, limits: Limits) -> None:
        self._text, self._names, self._review_chars = text, names, limits.review_chars
        self._keeps_null_words = wanted.null_words == "keep"

    def row(self, index: int, value: Value) -> Row:
        """Return the row of one value."""
        members = _members(value.content, self._names.text)
        if isinstance(members, RowError):
            return Row(index, value.line, "", None, None, [], members)
        text, error = _member(members, self._names.text), None
        if not isinstance(text, str):
            detail = f"The member {shown(self._names.text)} is missing or not a string."
            text, error = "", RowError("text_not_a_string", detail)
        caller_id, label = _written(members, self._names.id), _written(members, self._names.label)
        if self._text.is_damaged and (bad := self._text.bad_byte(f"{text}{caller_id}{label}")):
            error = error or RowError("invalid_encoding", f"On line {value.line:,}: {bad}")
        if value.has_escapes or self._text.is_damaged:  # nothing else yields characters that PostgreSQL refuses
            error = error or _character_error(f"{text}{caller_id}{label}")
            text, caller_id, label = _storable(text), caller_id and _storable(caller_id), label and _storable(label)
        error = error or text_error(text, self._review_chars, null_words=self._keeps_null_words)
        return Row(index, value.line, text, caller_id, label, [], error)


def _members(content: Any, text_name: str) -> dict[str, Any] | RowError:
    """Return the object; a string becomes an object with only the text."""
    if isinstance(content, str):
        return {text_name: content}
    if isinstance(content, (dict, RowError)):
        return content
    return RowError("not_an_object", "The line is neither a JSON object nor a string.")


def _written(members: Mapping[str, Any], name: str | None) -> str | None:
    """Return a string unchanged, a number or truth value as JSON writes it, and None for anything else."""
    value = _member(members, name)
    if isinstance(value, str):
        return value or None
    return json.dumps(value) if isinstance(value, (bool, int, float)) else None


def _character_error(texts: str) -> RowError | None:
    found = _UNSTORABLE.search(texts)
    if found is None:
        return None
    if found[0] == "\0":
        return RowError("nul_character", "The line has a NUL character.")
    return RowError("invalid_character", f"The line has half of a surrogate pair, \\u{ord(found[0]):04x}.")


def _storable(text: str) -> str:
    return _UNSTORABLE.sub("\ufffd", text)
