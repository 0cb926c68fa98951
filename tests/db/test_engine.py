"""Every failure of the database is one of two errors: busy, or unavailable."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from db import reviews
from db.engine import (
    DatabaseBusy,
    DatabaseUnavailable,
    DatabaseUnreachable,
    Engine,
    connect,
    driver_cursor,
    one_trip,
    pipelined,
    reading,
    transaction,
)
from local import embedded
from settings import DatabaseSettings
from tests.conftest import wait_until
from tests.db import steps


@pytest.fixture
def hasty(database: DatabaseSettings) -> Iterator[Engine]:
    """A pool of one connection that waits 100 ms for anything."""
    engine = connect(database.model_copy(update={"database_timeout_seconds": 0.1, "database_pool_size": 1}), "hasty")
    yield engine
    engine.dispose()


def execute(engine: Engine, statement: str) -> None:
    with transaction(engine) as connection:
        connection.execute(text(statement))


def test_a_block_that_ends_is_committed(engine: Engine) -> None:
    execute(engine, "INSERT INTO jobs (lane, model, total, queued) VALUES ('bulk', 'm', 1, 1)")
    assert len(steps.rows(engine, "SELECT id FROM jobs")) == 1


def test_a_block_that_raises_is_rolled_back(engine: Engine) -> None:
    with suppress(KeyError), transaction(engine) as connection:
        connection.execute(text("INSERT INTO jobs (lane, model, total, queued) VALUES ('bulk', 'm', 1, 1)"))
        raise KeyError
    assert steps.rows(engine, "SELECT id FROM jobs") == []


def test_a_lock_that_is_held_too_long_is_busy(engine: Engine, hasty: Engine) -> None:
    with transaction(engine) as connection:
        connection.execute(text("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(DatabaseBusy):
            execute(hasty, "SELECT id FROM jobs")
    execute(hasty, "SELECT id FROM jobs")


def test_a_reading_leaves_its_connection_to_transactions(hasty: Engine) -> None:
    with reading(hasty) as connection:
        assert connection.scalar(text("SELECT count(*) FROM jobs")) == 0
    with suppress(KeyError), transaction(hasty) as connection:
        connection.execute(text("INSERT INTO jobs (lane, model, total, queued) VALUES ('bulk', 'm', 1, 1)"))
        raise KeyError
    assert steps.rows(hasty, "SELECT id FROM jobs") == []


def test_a_reading_that_takes_too_long_is_busy(hasty: Engine) -> None:
    with pytest.raises(DatabaseBusy), reading(hasty) as connection:
        connection.execute(text("SELECT pg_sleep(20)"))


def test_a_statement_that_takes_too_long_is_busy(hasty: Engine) -> None:
    with pytest.raises(DatabaseBusy):
        execute(hasty, "SELECT pg_sleep(20)")


def test_an_exhausted_pool_is_busy(hasty: Engine) -> None:
    with transaction(hasty), pytest.raises(DatabaseBusy):
        execute(hasty, "SELECT 1")


def test_a_deadlock_is_busy_for_one_and_nothing_for_the_other(engine: Engine) -> None:
    jobs = [steps.submit(engine), steps.submit(engine)]
    met = threading.Barrier(2)

    def lock_both(order: list[UUID]) -> str:
        try:
            with transaction(engine) as connection:
                connection.execute(text("SET LOCAL deadlock_timeout = '10ms'"))
                connection.execute(text("SELECT FROM jobs WHERE id = :id FOR UPDATE"), {"id": order[0]})
                met.wait(20)
                connection.execute(text("SELECT FROM jobs WHERE id = :id FOR UPDATE"), {"id": order[1]})
        except DatabaseBusy:
            return "busy"
        return "done"

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(lock_both, [jobs, jobs[::-1]])) == ["busy", "done"]


def test_a_server_that_does_not_run_is_unreachable() -> None:
    engine = connect(DatabaseSettings(database_url=f"postgresql://nobody@127.0.0.1:{embedded.free_port()}/x"), "test")
    with pytest.raises(DatabaseUnreachable):
        execute(engine, "SELECT 1")


def test_a_database_that_does_not_exist_is_unreachable(postgres: str) -> None:
    engine = connect(DatabaseSettings(database_url=postgres.rpartition("/")[0] + "/nothing"), "test")
    with pytest.raises(DatabaseUnreachable):
        execute(engine, "SELECT 1")


def test_the_reason_is_the_drivers_on_one_line(postgres: str) -> None:
    wrong = make_url(postgres).set(password="another").render_as_string(hide_password=False)
    with pytest.raises(DatabaseUnreachable) as refused:
        execute(connect(DatabaseSettings(database_url=wrong), "test"), "SELECT 1")
    assert "password authentication failed" in refused.value.reason
    assert "\n" not in refused.value.reason


def test_a_connection_that_is_cut_is_unavailable(engine: Engine) -> None:
    with pytest.raises(DatabaseUnavailable, match="unknown"):
        execute(engine, "SELECT pg_terminate_backend(pg_backend_pid())")


def look(engine: Engine) -> None:
    reviews.of_job(engine, UUID(int=1), 1)


def change(engine: Engine) -> None:
    execute(engine, "SELECT 1")


@pytest.mark.parametrize("use", [change, look])
def test_one_cut_connection_costs_one_error_though_all_were_cut(
    engine: Engine, postgres: str, use: Callable[[Engine], None]
) -> None:
    """As after a restart of the server: the other pooled connections are discarded."""
    with transaction(engine), transaction(engine), transaction(engine):
        pass  # three connections are open
    with psycopg.connect(postgres, autocommit=True) as admin:
        name = engine.url.database
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        wait_until(lambda: not admin.execute("SELECT FROM pg_stat_activity WHERE datname = %s", [name]).fetchall())
    with pytest.raises(DatabaseUnavailable):
        use(engine)
    for _ in range(3):
        use(engine)


@dataclass(slots=True)
class Inserted:
    id: UUID


ADD_JOB = text("INSERT INTO jobs (lane, model, total, queued) VALUES ('bulk', :model, 1, 1) RETURNING id")


def test_all_statements_of_one_trip_are_one_transaction(engine: Engine) -> None:
    with one_trip(engine) as pipeline:
        first = pipeline.execute(ADD_JOB, {"model": "first"}, Inserted)
        assert first.fetchone()  # it has been executed
        assert steps.rows(engine, "SELECT FROM jobs") == []  # but not committed
        pipeline.execute(ADD_JOB, {"model": "second"}, Inserted)
    assert {row.model for row in steps.rows(engine, "SELECT model FROM jobs")} == {"first", "second"}


def test_a_statement_that_fails_takes_those_before_it_along(engine: Engine) -> None:
    def add(*models: str | None) -> None:
        with one_trip(engine) as pipeline:
            for model in models:
                pipeline.execute(ADD_JOB, {"model": model}, Inserted)

    with pytest.raises(psycopg.errors.NotNullViolation):
        add("first", None)
    assert steps.rows(engine, "SELECT FROM jobs") == []


@pytest.mark.parametrize("read", [True, False])
def test_one_trip_that_raises_commits_nothing_and_leaves_the_pool_whole(hasty: Engine, read: bool) -> None:
    def fail() -> None:
        with one_trip(hasty) as pipeline:
            cursor = pipeline.execute(ADD_JOB, {"model": "first"}, Inserted)
            if read:
                cursor.fetchone()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert steps.rows(hasty, "SELECT FROM jobs") == []


def test_a_statement_after_one_trip_is_refused(engine: Engine) -> None:
    with one_trip(engine) as pipeline:
        pipeline.execute(ADD_JOB, {"model": "first"}, Inserted)
    with pytest.raises(RuntimeError, match="after the end of its pipeline"):
        pipeline.execute(ADD_JOB, {"model": "second"}, Inserted)
    assert len(steps.rows(engine, "SELECT FROM jobs")) == 1


def test_a_pipeline_in_a_transaction_commits_nothing_by_itself(engine: Engine) -> None:
    with suppress(KeyError), transaction(engine) as connection:
        with pipelined(connection) as pipeline:
            pipeline.execute(ADD_JOB, {"model": "first"}, Inserted)
        raise KeyError
    assert steps.rows(engine, "SELECT FROM jobs") == []


def test_a_transaction_that_idles_too_long_is_ended(hasty: Engine, engine: Engine) -> None:
    def idle() -> None:
        with transaction(hasty) as connection:
            connection.execute(text("SELECT 1"))
            open_ones = "SELECT FROM pg_stat_activity WHERE application_name = 'hasty'"
            wait_until(lambda: not steps.rows(engine, open_ones))
            connection.execute(text("SELECT 1"))

    with pytest.raises((DatabaseBusy, DatabaseUnavailable)):
        idle()
    execute(hasty, "SELECT 1")


def test_an_error_of_the_statement_is_itself(engine: Engine) -> None:
    with pytest.raises(DBAPIError, match="counts_add_up"):
        execute(engine, "INSERT INTO jobs (lane, model, total, queued) VALUES ('bulk', 'm', 1, 2)")


def test_a_statement_beyond_a_limit_is_no_database_error(engine: Engine) -> None:
    columns = ", ".join(["1"] * 1700)
    with pytest.raises(DBAPIError, match="target lists"):
        execute(engine, f"SELECT {columns}")
    with pytest.raises(psycopg.Error, match="target lists"), transaction(engine) as connection:
        driver_cursor(connection).execute(f"SELECT {columns}".encode())


def test_an_error_does_not_show_its_parameters(engine: Engine) -> None:
    with pytest.raises(DBAPIError) as raised, transaction(engine) as connection:
        connection.execute(text("SELECT 1 WHERE :secret = 'x' AND nothing"), {"secret": "a confidential film"})
    assert "confidential" not in str(raised.value)


def test_an_errors_message_is_its_docstring() -> None:
    assert {str(error()) == error.__doc__ for error in (DatabaseBusy, DatabaseUnavailable)} == {True}


@pytest.mark.parametrize("lane", ["fast", ""])
def test_an_unknown_lane_is_rejected(engine: Engine, lane: str) -> None:
    with pytest.raises(DBAPIError, match="lane_known"):
        execute(engine, f"INSERT INTO jobs (lane, model, total, queued) VALUES ('{lane}', 'm', 1, 1)")  # noqa: S608
