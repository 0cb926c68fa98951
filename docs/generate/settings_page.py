"""`reference/settings.md`: every environment variable, its default and its description, from settings.py."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

import settings
from docs.generate.markdown import code, page, plain, table
from settings import ROOT

# Heading of each group; a name that is in two classes is described by the first.
GROUPS: dict[type[BaseSettings], str] = {
    settings.RunSettings: "`verdict run`",
    settings.ApiSettings: "API",
    settings.DatabaseSettings: "PostgreSQL, every process",
    settings.QueueSettings: "Redis, every process",
    settings.WorkerSettings: "Worker",
    settings.MetricsSettings: "Metrics of worker and maintenance",
    settings.LivenessSettings: "Heartbeat, every process",
    settings.MaintenanceSettings: "Maintenance",
}
INTRODUCTION = """\
Settings are environment variables; each process reads its own. `verdict run` sets the addresses of PostgreSQL and
Redis when they are not given, and reads a file `.env` for variables that the environment does not have. `verdict
tune --write` puts the fastest worker settings of a machine into that file. In Compose the file is `.env` beside
`compose.yaml`; in Kubernetes it is `kubernetes/base/settings.env`.

A wrong or missing value ends the process that needs it, with one line that names the variable. An empty value
counts as not given."""


def variables() -> Iterator[tuple[str, str, str]]:
    """Yield name, default and description of every setting, each name once."""
    for group in _groups().values():
        yield from group


def settings_page() -> str:
    """Return the page: a table for each class of settings."""
    return page("Settings", INTRODUCTION, *(_section(GROUPS[group], rows) for group, rows in _groups().items()))


def _section(heading: str, rows: list[tuple[str, str, str]]) -> str:
    cells = ((code(name), code(default), plain(text)) for name, default, text in rows)
    return f"## {heading}\n\n" + table(["name", "default", "description"], cells)


def _groups() -> dict[type[BaseSettings], list[tuple[str, str, str]]]:
    seen: set[str] = set()
    found = {}
    for group in GROUPS:
        fields = {name: field for name, field in group.model_fields.items() if name not in seen}
        seen |= fields.keys()
        found[group] = [(name.upper(), _shown(each.default), each.description or "") for name, each in fields.items()]
    return {group: rows for group, rows in found.items() if rows}


def _shown(default: Any) -> str:
    if default is None or default is PydanticUndefined:
        return ""
    return str(default.relative_to(ROOT) if isinstance(default, Path) and default.is_absolute() else default)
