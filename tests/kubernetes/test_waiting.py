"""The init container waits for the schema, and logs the reason."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import make_url, text

from db.engine import connect, transaction
from db.migrate import newest, upgrade
from settings import ROOT, DatabaseSettings
from tests.conftest import new_database
from tests.kubernetes.reading import FOLDER

SCRIPT = FOLDER / "components" / "wait-for-schema" / "wait_for_schema.py"


@contextmanager
def waiting(url: str) -> Iterator["subprocess.Popen[str]"]:
    """Start the script."""
    environment = os.environ | {"DATABASE_URL": url, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, SCRIPT], env=environment, stderr=subprocess.PIPE, text=True)
    with process:
        yield process
        if process.poll() is None:
            process.kill()


@pytest.fixture
def nothing(postgres: str) -> Iterator[DatabaseSettings]:
    """A database without any table."""
    with new_database(postgres, "template0") as settings:
        yield settings


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Return the exit code and the rest of the output."""
    _, said = process.communicate(timeout=30)
    return process.returncode, said


def test_it_waits_until_the_schema_is_there(nothing: DatabaseSettings) -> None:
    with waiting(nothing.database_url) as process:
        assert process.stderr
        said = process.stderr.readline()
        assert said == f"wait-for-schema: the schema is at None, {newest()} is needed: is the migration running?\n"
        upgrade(nothing)
        assert ended(process) == (0, "")


@pytest.mark.parametrize(("revision", "goes_on"), [("0001_spine", False), ("9999_later", True)])
def test_a_newer_schema_is_accepted_and_an_older_one_is_not(
    database: DatabaseSettings, revision: str, *, goes_on: bool
) -> None:
    engine = connect(database, "test")
    with transaction(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": revision})
    engine.dispose()
    with waiting(database.database_url) as process:
        assert process.stderr
        if goes_on:
            assert ended(process) == (0, "")
        else:
            assert f"the schema is at {revision}" in process.stderr.readline()


def test_an_unreachable_database_is_named() -> None:
    with waiting("postgresql://nobody:none@127.0.0.1:1/none") as process:
        assert process.stderr
        assert process.stderr.readline().startswith("wait-for-schema: The database cannot be reached")


def test_a_wrong_password_is_named(nothing: DatabaseSettings) -> None:
    wrong = make_url(nothing.database_url).set(password="another")
    with waiting(wrong.render_as_string(hide_password=False)) as process:
        assert process.stderr
        assert "password authentication failed" in process.stderr.readline()


def test_a_missing_secret_is_named() -> None:
    with waiting("") as process:
        code, said = ended(process)
    assert (code, said) == (1, "wait-for-schema: DATABASE_URL: Field required\n")
