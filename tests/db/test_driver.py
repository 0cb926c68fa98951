"""A stopped server ends a statement with an error; a slow one does not."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import Signals

import pytest

from db import driver
from db.engine import DatabaseUnavailable, Engine, connect, transaction
from settings import DatabaseSettings
from tests.conftest import wait_until
from tests.servers import postgres_server


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr(driver, "CONNECT_SECONDS", 2)  # libpq's minimum


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Engine]:
    """A pool on a server for this test alone."""
    tmp_path.chmod(0o711)
    with postgres_server(tmp_path) as url:
        engine = connect(DatabaseSettings(database_url=url), "test")
        yield engine
        engine.dispose()


@contextmanager
def stopped(engine: Engine) -> Iterator[None]:
    """Stop all processes of the server while the block runs."""
    with engine.connect() as connection:
        mine = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    leader = int(Path(f"/proc/{mine}/stat").read_text().rpartition(")")[2].split()[1])
    pids = [leader, *(int(each) for each in Path(f"/proc/{leader}/task/{leader}/children").read_text().split())]
    for pid in pids:
        os.kill(pid, Signals.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, Signals.SIGCONT)


def test_a_stopped_server_is_an_error_and_not_a_wait(own: Engine) -> None:
    with stopped(own):
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable) as raised, transaction(own) as connection:
            connection.exec_driver_sql("SELECT 1")
        assert "the server has been silent for 0.5 s" in raised.value.reason
        assert time.monotonic() - began < 10

    def answers() -> bool:
        try:
            with transaction(own) as connection:
                return bool(connection.exec_driver_sql("SELECT 1").scalar_one())
        except DatabaseUnavailable:
            return False

    wait_until(answers)


def test_a_slow_statement_of_a_server_that_lives_is_waited_for(engine: Engine) -> None:
    with transaction(engine) as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SELECT pg_sleep(1.5)")
