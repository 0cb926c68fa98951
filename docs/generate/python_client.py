"""`reference/python-client.md`: the methods, objects and errors of `verdict`, from signatures and docstrings."""

import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any

import verdict
from docs.generate.markdown import code, page, plain, table
from verdict import schemas
from verdict.drivers import call, paged
from verdict.uploads import Reading

INTRODUCTION = """\
```python
from verdict import Client

with Client() as client:
    print(client.classify("A warm film."))
```

`Client` blocks; `AsyncClient` has the same methods, to be awaited. Both find the service by their argument, by
`VERDICT_URL`, or at `http://127.0.0.1:8000`. Calls that are safe to repeat are repeated when a connection breaks or
the service answers 429 or 503; a submission carries an `Idempotency-Key`, so one call makes one job. The signatures
below are those of `Client`; with `AsyncClient` the same methods return awaitables and asynchronous iterators."""
WIDTH = 110
MODULE = re.compile(r"\b(?:verdict|collections|typing|datetime|uuid)\.(?:\w+\.)*(?=\w)")
SECTION = re.compile(r"^(Args|Raises|Returns|Yields):$", re.MULTILINE)


def python_client_page() -> str:
    """Return the page: constructor, methods, objects, errors."""
    errors = [each for name in verdict.__all__ if issubclass(each := getattr(verdict, name), Exception)]
    objects = [each for name, each in vars(schemas).items() if _is_object(name, each)]
    methods = [_method(name, each) for name, each in _methods()]
    rows = [(code(each.__name__), plain(_first(each))) for each in errors]
    return page(
        "Python client",
        INTRODUCTION,
        f"## Client\n\n{_described(verdict.Client)}",
        *methods,
        "## Objects",
        *map(_object, [*objects, Reading]),
        "## Errors",
        table(["error", "meaning"], rows),
    )


def _methods() -> Iterator[tuple[str, Any]]:
    """Yield the calls of the service by name; they are all in one class, below the clients and their drivers."""
    for owner in verdict.Client.__mro__:
        for name, each in vars(owner).items():
            if isinstance(each, (call, paged)):
                yield name, getattr(verdict.Client, name)


def _method(name: str, function: Any) -> str:
    signature = inspect.signature(function)
    own = signature.replace(parameters=[each for each in signature.parameters.values() if each.name != "self"])
    return f"### {name}\n\n```python\n{_wrapped(name + _blocking(str(own)))}\n```\n\n{_described(function)}"


def _blocking(signature: str) -> str:
    """Return a signature as `Client` has it: without modules, and with the answer in place of the steps to it."""
    short = MODULE.sub("", signature).replace("*<class 'Reading'>", "Unpack[Reading]").replace("NoneType", "None")
    short = re.sub(r"Generator\[Send \| Sleep \| list\[(.*)\], Any, None\]$", r"Iterator[\1]", short)
    return re.sub(r"Generator\[Send \| Sleep, Any, (.*)\]$", r"\1", short)


def _wrapped(signature: str) -> str:
    """Return a long signature with a parameter a line."""
    if len(signature) <= WIDTH:
        return signature
    head, found, answer = signature.rpartition(") -> ")
    name, _, parameters = head.partition("(")
    lines = re.split(r", (?![^\[]*\])", parameters)
    return f"{name}(\n    " + ",\n    ".join(lines) + f",\n{found}{answer}"


def _described(thing: Any) -> str:
    """Return a docstring as Markdown: text, then a list for each of its sections."""
    text, *sections = SECTION.split(inspect.cleandoc(thing.__doc__ or ""))
    blocks = [text if "```" in text else plain(text)]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        entries = re.split(r"\n(?=\S)", inspect.cleandoc(body))
        blocks.append(f"{title}:\n\n" + "\n".join(f"- {_entry(entry)}" for entry in entries if entry.strip()))
    return "\n\n".join(block.strip() for block in blocks)


def _entry(entry: str) -> str:
    name, found, rest = " ".join(entry.split()).partition(": ")
    return f"{code(name)}: {plain(rest)}" if found else plain(name)


def _is_object(name: str, thing: Any) -> bool:
    return inspect.isclass(thing) and thing.__module__ == schemas.__name__ and name != "Page" and name[0] != "_"


def _object(thing: Any) -> str:
    rows = [(code(name), code(_type(kind))) for name, kind in _fields(thing).items()]
    return f"### {thing.__name__}\n\n{_described(thing)}\n\n{table(['field', 'type'], rows)}"


def _fields(thing: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(thing):
        return {each.name: each.type for each in dataclasses.fields(thing)}
    if hasattr(thing, "model_fields"):
        return {name: each.annotation for name, each in thing.model_fields.items()}
    return dict(inspect.get_annotations(thing))


def _type(kind: Any) -> str:
    name = kind if isinstance(kind, str) else inspect.formatannotation(kind)
    return MODULE.sub("", name)


def _first(thing: Any) -> str:
    return inspect.cleandoc(thing.__doc__ or "").partition("\n\n")[0]
