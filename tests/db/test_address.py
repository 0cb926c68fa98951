"""`DATABASE_URL` is parsed as libpq does, and a malformed one is refused without repeating its password."""

import pytest
from pydantic import ValidationError

from db.address import parameters
from db.engine import DatabaseUnusable, connect, connection_parameters
from settings import DatabaseSettings, RunSettings


def test_every_part_of_a_url_is_passed_on() -> None:
    url = (
        "postgresql://me:p%40ss@one:1,two:2/db?sslmode=verify-full&sslrootcert=/ca.pem&target_session_attrs=read-write"
    )
    assert parameters(url) == {
        "user": "me",
        "password": "p@ss",
        "host": "one,two",
        "port": "1,2",
        "dbname": "db",
        "sslmode": "verify-full",
        "sslrootcert": "/ca.pem",
        "target_session_attrs": "read-write",
    }


@pytest.mark.parametrize(
    ("url", "host"),
    [("postgresql:///db?host=/run/postgresql", "/run/postgresql"), ("postgresql://[::1]:5433/db", "::1")],
)
def test_sockets_and_ipv6_hosts_work(url: str, host: str) -> None:
    assert parameters(url)["host"] == host


def test_session_options_of_the_url_are_kept_and_ours_win() -> None:
    url = "postgresql://host/db?options=-csearch_path%3Dmine%20-cstatement_timeout%3D0&connect_timeout=9"
    found = connection_parameters(DatabaseSettings(database_url=url), "test")
    assert found["options"].startswith("-csearch_path=mine -cstatement_timeout=0 -c statement_timeout=5000 ")
    assert (found["connect_timeout"], found["application_name"]) == ("9", "test")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgresql://me:secret@host:port/db", "a port is no number from 1 to 65535"),
        ("postgresql://me:secret@host:0/db", "a port is no number from 1 to 65535"),
        ("postgresql://me:secret@one:1,two:70000/db", "a port is no number from 1 to 65535"),
        ("postgresql://me:sec@ret@host/db", "it contains more than one @"),
        ("postgresql://me:sec/ret@host/db", "a port is no number"),
        ("postgresql://me:secret%zz@host/db", "it cannot be parsed"),
        ("postgresql://me:secret@[::1/db", "it cannot be parsed"),
        ("postgresql://me:secret@host/db?sslmod=require", 'invalid URI query parameter: "sslmod"'),
        ("postgresql://me:secret@host/db?sslmode=maybe", "sslmode=maybe is none of disable, allow, prefer"),
    ],
)
def test_a_malformed_url_is_refused_without_repeating_it(url: str, problem: str) -> None:
    with pytest.raises(DatabaseUnusable) as raised:
        connect(DatabaseSettings(database_url=url), "test")
    assert problem in str(raised.value)
    assert "DATABASE_URL" in str(raised.value)
    assert "sec" not in str(raised.value)


@pytest.mark.parametrize("url", ["secret", "mysql://me:secret@host/db", "host=secret dbname=db", "postgresql:secret"])
@pytest.mark.parametrize("kind", [DatabaseSettings, RunSettings])
def test_another_scheme_is_refused(kind: type[DatabaseSettings] | type[RunSettings], url: str) -> None:
    with pytest.raises(ValidationError, match="must look like postgresql://user:password@host:5432/database") as raised:
        kind(database_url=url)
    assert "secret" not in str(raised.value.errors(include_input=False, include_context=False, include_url=False))
