"""`verdict requests`: recent requests as a table and as JSON; every error is one line."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import typer
from typer.testing import CliRunner, Result

from cli.requests import requests
from db import request_log
from db.engine import Engine, transaction
from db.request_log import LoggedRequest
from settings import DatabaseSettings
from tests.cli.test_commands import verdict
from tests.db import steps
from verdict_cli.output import CommandError

Run = Callable[..., Result]
JOB = UUID(int=7)


@pytest.fixture
def logged(engine: Engine) -> None:
    """A log of three requests."""
    now = datetime.now(UTC)
    sent = [
        LoggedRequest(now - timedelta(minutes=90), "old", None, "GET", "/v1/jobs", 200, 3, 0, 20, None),
        LoggedRequest(now - timedelta(minutes=2), "bad", None, "POST", "/v1/jobs", 503, 5000.25, 300, 40, None),
        LoggedRequest(now, "new", None, "GET", "/v1/jobs/{job_id}", 404, 1.5, 0, 1234567, JOB),
    ]
    with transaction(engine) as connection:
        request_log.create_partitions(connection, 1, since=sent[0].at.date())
        request_log.add(connection, sent)


@pytest.fixture
def run(database: DatabaseSettings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs `verdict requests …` on the test's database."""
    monkeypatch.setenv("DATABASE_URL", database.database_url)
    monkeypatch.setenv("COLUMNS", "200")
    app = typer.Typer()
    app.command()(requests)
    return lambda *words: CliRunner().invoke(app, list(words), catch_exceptions=False)


def ids(run: Run, *words: str) -> list[str]:
    return [line["request_id"] for line in lines(run, *words)]


def lines(run: Run, *words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run("--json", *words).stdout.splitlines()]


@pytest.mark.usefixtures("logged")
def test_the_last_hour_is_listed_the_newest_last(run: Run) -> None:
    assert ids(run) == ["bad", "new"]


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--since", "2h"), ["old", "bad", "new"]),
        (("--since", "7d", "--limit", "2"), ["bad", "new"]),
        (("--since", "60s"), ["new"]),
        (("--status", "5xx"), ["bad"]),
        (("--status", "404"), ["new"]),
        (("--status", "4XX", "--since", "30m"), ["new"]),
        (("--status", "2xx"), []),
        (("--route", "/v1/jobs"), ["bad"]),
        (("--route", "/nothing"), []),
    ],
)
def test_it_is_narrowed_by_time_status_and_route(run: Run, words: tuple[str, ...], expected: list[str]) -> None:
    assert ids(run, *words) == expected


@pytest.mark.usefixtures("logged")
def test_machines_get_an_object_a_line(run: Run) -> None:
    [line] = lines(run, "--status", "404")
    assert datetime.fromisoformat(line.pop("at")).tzinfo
    assert line == {
        "request_id": "new",
        "key": None,
        "method": "GET",
        "route": "/v1/jobs/{job_id}",
        "status": 404,
        "duration_ms": 1.5,
        "request_bytes": 0,
        "response_bytes": 1234567,
        "job_id": str(JOB),
    }


@pytest.mark.usefixtures("logged")
def test_people_get_a_table(run: Run) -> None:
    table = run().stdout
    for shown in ("503", "5,000.2", "/v1/jobs/{job_id}", "1,234,567", str(JOB), "bad"):
        assert shown in table
    assert "old" not in table


def test_a_log_without_any_day_is_empty(run: Run) -> None:
    assert lines(run) == []
    assert "status" in run().stdout


@pytest.mark.parametrize("since", ["", "h", "1", "1w", "-1h", "0m", "1.5h", "1h1m", "99999d", "٣h", "1h\n"])
def test_a_wrong_time_is_named(run: Run, since: str) -> None:
    with pytest.raises(CommandError, match="must be a number with s, m, h or d, from 1s to 3650d"):
        run(f"--since={since}")


@pytest.mark.parametrize("status", ["", "5x", "600", "6xx", "099", "ok", "5xx,4xx", "٤٠٤"])
def test_a_wrong_status_is_named(run: Run, status: str) -> None:
    with pytest.raises(CommandError, match="must be a status such as 404, or a class such as 5xx"):
        run(f"--status={status}")


def test_an_older_schema_is_one_line(run: Run, engine: Engine) -> None:
    steps.run(engine, "DROP TABLE request_log")
    with pytest.raises(CommandError, match=r"python -m db\.migrate"):
        run()


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "no database: set DATABASE_URL, or start `verdict run`"),
        ({"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing"}, "The database cannot be reached"),
        ({"DATABASE_URL": "postgresql://a:secret@b:port/c"}, "a port is no number"),
        ({"DATABASE_URL": "mysql://a:secret@b/c"}, "DATABASE_URL: Value error, must look like"),
        ({"DATABASE_URL": "secret"}, "DATABASE_URL: Value error, must look like"),
    ],
)
def test_without_a_database_the_command_ends_with_one_line(tmp_path: Path, env: dict[str, str], said: str) -> None:
    code, output = verdict("requests", **{"VERDICT_HOME": str(tmp_path), **env})
    assert (code, output.count("\n")) == (2, 1), output
    assert said in output
    assert "secret" not in output


@pytest.mark.parametrize("words", [("--limit", "0"), ("--limit", "many"), ("--unknown",), ("more",)])
def test_a_wrong_option_ends_with_code_2(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2
