"""`verdict requests`: list answered requests from the request log in the database."""

import json as json_lines
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from monitoring.durations import duration
from verdict_cli.output import CommandError, JsonOption, stdout

WIDE = 250


def requests(
    since: Annotated[str, typer.Option(help="How far back: 90s, 15m, 1h, 7d.")] = "1h",
    status: Annotated[str | None, typer.Option(help="Only this status, such as 404, or class, such as 5xx.")] = None,
    route: Annotated[
        str | None, typer.Option(help="Only this route, as in the API's documentation, such as '/v1/jobs/{job_id}'.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Most requests to list, the newest.")] = 100,
    json: JsonOption = False,
) -> None:
    """List answered requests, the newest last; with --json one object a line.

    Reads the database of DATABASE_URL, or else of `verdict run`. The log lags by up to a second.
    """
    age, statuses = _age(since), _statuses(status)
    found = [row._asdict() for row in reversed(_find(age, statuses, route, limit))]
    if not json:
        # A shortened id is useless, so a narrow terminal wraps the lines.
        Console(width=max(WIDE, stdout.width), highlight=False, soft_wrap=True).print(_table(found))
        return
    for each in found:
        print(json_lines.dumps(each, default=_plain))


def _age(since: str) -> timedelta:
    try:
        return duration(since, least="1s", most="3650d")
    except ValueError as exc:
        raise CommandError(f"--since {since!r}: {exc}") from exc


def _statuses(status: str | None) -> tuple[int, int]:
    """Return the lowest and the highest wanted status."""
    if status is None:
        return 100, 599
    if re.fullmatch(r"[1-5][xX]{2}", status):
        return int(status[0]) * 100, int(status[0]) * 100 + 99
    if re.fullmatch(r"[1-5][0-9]{2}", status):
        return int(status), int(status)
    raise CommandError(f"--status {status!r}: must be a status such as 404, or a class such as 5xx")


def _find(age: timedelta, statuses: tuple[int, int], route: str | None, limit: int) -> Sequence[Any]:
    from cli._store import store
    from db import request_log
    from db.engine import transaction

    with store() as engine, transaction(engine) as connection:
        if not request_log.exists(connection):
            raise CommandError("the database has no request log; `python -m db.migrate` updates its schema")
        return request_log.find(connection, age, statuses, route, limit)


def _plain(value: Any) -> str:
    """Return a time or an id as JSON can represent it."""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _table(found: Sequence[dict[str, Any]]) -> Table:
    drawn = Table("at", "status", "method", "route", "ms", "bytes in", "bytes out", "job", "request")
    for row in found:
        drawn.add_row(
            f"{row['at'].astimezone():%Y-%m-%d %H:%M:%S}",
            str(row["status"]),
            row["method"],
            row["route"],
            f"{row['duration_ms']:,.1f}",
            f"{row['request_bytes']:,}",
            f"{row['response_bytes']:,}",
            str(row["job_id"] or ""),
            row["request_id"],
        )
    return drawn
