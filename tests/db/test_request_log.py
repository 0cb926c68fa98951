"""The request log: a partition for each day, rows by COPY, and queries."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from alembic import command

from db import request_log
from db.engine import DatabaseBusy, Engine, transaction
from db.migrate import alembic_config
from db.request_log import LoggedRequest
from tests.db import steps

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def request(at: datetime = NOW, *, route: str = "/v1/jobs", status: int = 202, request_id: str = "r") -> LoggedRequest:
    return LoggedRequest(at, request_id, None, "POST", route, status, 12.5, 300, 40, UUID(int=7))


def create(engine: Engine, days_ahead: int, since: date | None = None) -> list[date]:
    with transaction(engine) as connection:
        request_log.create_partitions(connection, days_ahead, since)
        return request_log.partitions(connection)


def add(engine: Engine, *requests: LoggedRequest) -> None:
    create(engine, 1, min(each.at for each in requests).date())
    with transaction(engine) as connection:
        request_log.add(connection, requests)


def found(engine: Engine, **wanted: Any) -> list[LoggedRequest]:
    how: dict[str, Any] = {"age": timedelta(hours=1), "statuses": (100, 599), "route": None, "limit": 10} | wanted
    with transaction(engine) as connection:
        return request_log.find(connection, **how)


def drop(engine: Engine, keep_days: int) -> date | None:
    with transaction(engine) as connection:
        return request_log.drop_partition(connection, keep_days)


def test_days_are_made_once_and_ahead(engine: Engine) -> None:
    assert create(engine, 2) == [NOW.date() + DAY * ahead for ahead in range(3)]
    assert create(engine, 2, NOW.date() - DAY) == [NOW.date() + DAY * ahead for ahead in range(-1, 3)]


def test_processes_that_make_the_same_day_at_once_do_not_fail(engine: Engine) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: len(create(engine, 3)), range(16)))
    assert made == [4] * 16


def test_a_day_is_made_while_the_log_is_written_and_read(engine: Engine) -> None:
    add(engine, request())
    with transaction(engine) as writer:
        request_log.add(writer, [request()])
        request_log.find(writer, DAY, (100, 599), None, 1)
        with transaction(engine) as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = '1s'")
            request_log.create_partitions(connection, 5)


def test_what_is_added_is_found_again_in_its_day(engine: Engine) -> None:
    sent = request(datetime.now(UTC), request_id='"\\odd,\tid')
    add(engine, sent)
    assert found(engine) == [sent]
    name = f"request_log_{sent.at:%Y%m%d}"
    assert steps.rows(engine, f"SELECT count(*) FROM {name}") == [(1,)]  # noqa: S608  a name of ours


def test_the_ends_of_a_day_belong_to_their_day_of_utc(engine: Engine) -> None:
    midnight = datetime(NOW.year, NOW.month, NOW.day, tzinfo=UTC)
    last, first = midnight - timedelta(microseconds=1), midnight
    add(engine, request(last), request(first))
    for at in (last, first):
        assert steps.rows(engine, f"SELECT at FROM request_log_{at:%Y%m%d}") == [(at,)]  # noqa: S608  a name of ours


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ["new", "bad", "old"]),
        ({"age": timedelta(minutes=30)}, ["new", "bad"]),
        ({"statuses": (500, 599)}, ["bad"]),
        ({"statuses": (404, 404)}, []),
        ({"route": "/v1/classify"}, ["new"]),
        ({"limit": 1}, ["new"]),
    ],
)
def test_requests_are_found_the_newest_first_by_age_status_and_route(
    engine: Engine, wanted: dict[str, Any], expected: list[str]
) -> None:
    now = datetime.now(UTC)
    add(
        engine,
        request(now - timedelta(minutes=45), request_id="old"),
        request(now, request_id="new", route="/v1/classify"),
        request(now - timedelta(minutes=5), request_id="bad", status=503),
        request(now - timedelta(minutes=90), request_id="out of the hour"),
    )
    assert [each.request_id for each in found(engine, **wanted)] == expected


def test_only_days_beyond_the_retention_are_dropped_one_at_a_time(engine: Engine) -> None:
    create(engine, 1, NOW.date() - DAY * 16)
    assert [drop(engine, 14), drop(engine, 14), drop(engine, 14)] == [
        NOW.date() - DAY * 16,
        NOW.date() - DAY * 15,
        None,
    ]
    with transaction(engine) as connection:
        assert request_log.partitions(connection)[0] == NOW.date() - DAY * 14


def test_a_drop_gives_up_soon_while_somebody_reads(engine: Engine) -> None:
    create(engine, 1, NOW.date() - DAY * 20)
    with transaction(engine) as reader:
        request_log.find(reader, DAY, (100, 599), None, 1)
        with pytest.raises(DatabaseBusy):
            drop(engine, 14)
    assert drop(engine, 14)


def test_alembic_takes_no_partition_for_a_table_of_its_own(engine: Engine) -> None:
    create(engine, 3)
    with transaction(engine) as connection:
        command.check(alembic_config(connection))


def test_a_schema_without_the_log_is_detected(engine: Engine) -> None:
    with transaction(engine) as connection:
        assert request_log.exists(connection)
    steps.run(engine, "DROP TABLE request_log")
    with transaction(engine) as connection:
        assert not request_log.exists(connection)
        assert request_log.partitions(connection) == []
