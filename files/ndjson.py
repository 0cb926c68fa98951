"""NDJSON: one JSON object or string a line, one row each. Called by files.reader."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple, NoReturn

from files.columns import choose
from files.encoding import Text
from files.errors import EmptyFile, NotNdjson, shown
from files.layout import Layout, Limits, Table, Wanted
from files.lines import Feed, split_lines
from files.row import Row, RowError, text_error

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # PostgreSQL's text takes none of them


class Names(NamedTuple):
    """The members of an object that mean something to us, as the first line has them."""

    text: str
    id: str | None
    label: str | None


def read_ndjson(text: Text, wanted: Wanted, limits: Limits) -> Table:
    """Read the first line now, which settles the names, and the rows as they are iterated."""
    lines = _filled(Feed(split_lines(text, limits.record_chars), limits.record_chars))
    first = next(lines, None)
    if first is None:
        raise EmptyFile("The file is empty; send one JSON object a line.")
    names = _names(*first, wanted)
    used = list(dict.fromkeys(name for name in names if name is not None))
    columns = tuple(map(_storable, used))
    layout = Layout(columns, 0, _place(used, names.id), _place(used, names.label), ",", text.encoding)
    rows = (_row(index, *line, names, limits) for index, line in enumerate(chain([first], lines)))
    return Table(layout, rows)


def _filled(feed: Feed) -> Iterator[tuple[int, str]]:
    """Number and text of each line that is not blank."""
    for line in feed:
        if not line.isspace():
            yield feed.began, line
        feed.end_record()


def _names(number: int, line: str, wanted: Wanted) -> Names:
    members = _members(line, wanted.text_column or "text")
    if isinstance(members, RowError):
        raise NotNdjson(f"Line {number:,} does not begin an NDJSON file, one JSON object a line: {members.detail}")
    names = list(members)
    text, id_, label = choose(names, wanted)
    return Names(names[text], None if id_ is None else names[id_], None if label is None else names[label])


def _place(names: Sequence[str], name: str | None) -> int | None:
    return None if name is None else names.index(name)


def _row(index: int, number: int, line: str, names: Names, limits: Limits) -> Row:
    members = _members(line, names.text)
    if isinstance(members, RowError):
        return Row(index, number, "", None, None, [], members)
    text, error = members.get(names.text), None
    if not isinstance(text, str):
        text, error = "", RowError("text_not_a_string", f"The member {shown(names.text)} is missing or no string.")
    caller_id, label = _written(members, names.id), _written(members, names.label)
    if "\\u" in line:  # only an escape brings what cannot be stored
        error = error or _character_error(f"{text}{caller_id}{label}")
        text, caller_id, label = _storable(text), caller_id and _storable(caller_id), label and _storable(label)
    return Row(index, number, text, caller_id, label, [], error or text_error(text, limits.review_chars))


def _members(line: str, text_name: str) -> dict[str, Any] | RowError:
    """The object of a line; a string is one that has only the text."""
    try:
        value = _DECODER.decode(line)
    except json.JSONDecodeError as error:
        return RowError("invalid_json", f"The line is no JSON: {error.msg} (column {error.colno:,}).")
    except RecursionError:
        return RowError("invalid_json", "The line is no JSON that can be read: nested too deeply.")
    except ValueError as error:
        return RowError("invalid_json", f"The line is no JSON that can be read: {str(error).partition(';')[0]}.")
    if isinstance(value, str):
        return {text_name: value}
    return value if isinstance(value, dict) else RowError("not_an_object", "The line is no JSON object and no string.")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON value")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _written(members: Mapping[str, Any], name: str | None) -> str | None:
    """A string as it is, a number or truth value as JSON writes it; anything else says nothing."""
    value = None if name is None else members.get(name)
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
