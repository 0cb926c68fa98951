"""A database that cannot be used is refused at the start, with the problem and the remedy in one line."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from db import preflight, requirements
from db.engine import DatabaseUnreachable, DatabaseUnusable, Engine, connect
from db.migrate import newest, upgrade
from db.preflight import check
from local import embedded
from settings import ROOT, DatabaseSettings, WorkerSettings
from tests.db import steps
from tests.db.proxies import TlsServer, pooler, serving
from tests.servers import postgres_server

SEARCH_PATH = "?options=-csearch_path%3D"
TIMEOUT = "-c statement_timeout=5000"


def with_(settings: DatabaseSettings, suffix: str = "", **parts: str) -> DatabaseSettings:
    """Return settings with another part of the URL, and with something appended to it."""
    return DatabaseSettings(database_url=urlsplit(settings.database_url)._replace(**parts).geturl() + suffix)


def at(settings: DatabaseSettings, port: int, host: str = "127.0.0.1") -> DatabaseSettings:
    """Return settings with another host and port."""
    user = urlsplit(settings.database_url).netloc.rpartition("@")[0]
    return with_(settings, netloc=f"{user}@{host}:{port}")


def port_of(settings: DatabaseSettings) -> int:
    return urlsplit(settings.database_url).port or 0


@contextmanager
def plain_role(settings: DatabaseSettings, engine: Engine, *rights: str) -> Iterator[DatabaseSettings]:
    """Create a role without privileges but these; yields settings that connect as it."""
    name, here = f"plain_{uuid4().hex}", urlsplit(settings.database_url)
    steps.run(engine, f"CREATE ROLE {name} LOGIN PASSWORD 'plain'")
    for right in rights:
        steps.run(engine, f"GRANT {right} TO {name}")
    yield with_(settings, netloc=f"{name}:plain@{here.netloc.rpartition('@')[2]}")
    steps.run(engine, f"DROP OWNED BY {name} CASCADE")
    steps.run(engine, f"DROP ROLE {name}")


def refused(settings: DatabaseSettings, *, migrates: bool = False) -> str:
    """Return the message of the refusal, which is one line."""
    with pytest.raises(DatabaseUnusable) as raised:
        check(settings, "test", migrates=migrates)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_database_that_fits_is_accepted(database: DatabaseSettings) -> None:
    check(database, "test")
    check(database, "test", migrates=True)


def test_an_old_postgresql_is_refused(database: DatabaseSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "OLDEST", 99)
    assert refused(database).startswith("PostgreSQL 18")
    assert "is too old: 99 or newer is needed" in refused(database)


@pytest.mark.parametrize("feature", ["SELECT uuidv7()", "SELECT casefold('A')"])
def test_the_features_that_need_postgresql_18_are_there(engine: Engine, feature: str) -> None:
    assert steps.rows(engine, feature)


def test_a_read_only_database_is_refused(database: DatabaseSettings, engine: Engine) -> None:
    name = engine.url.database
    steps.run(engine, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    said = refused(database)
    assert said.startswith(f"The database {name} is read-only for ")
    with psycopg.connect(database.database_url, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(said.partition("Run ")[2].partition(",")[0].encode())
    check(database, "test")


def test_a_hot_standby_is_refused_with_its_place(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    with postgres_server(tmp_path):
        pass
    folder = tmp_path / "postgres"
    (folder / "standby.signal").touch()
    os.chown(folder / "standby.signal", folder.stat().st_uid, folder.stat().st_gid)
    with postgres_server(tmp_path) as url:
        settings = DatabaseSettings(database_url=url)
        assert refused(settings).startswith(f"The server at 127.0.0.1:{port_of(settings)} is a hot standby")


@pytest.fixture
def latin(postgres: str) -> Iterator[DatabaseSettings]:
    """A database with the encoding LATIN1."""
    name = f"latin_{uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'".encode())
        yield with_(DatabaseSettings(database_url=postgres), path=f"/{name}")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_an_encoding_other_than_utf8_is_refused(latin: DatabaseSettings) -> None:
    assert "has the encoding LATIN1, and UTF8 is needed" in refused(latin, migrates=True)


def test_texts_are_unicode_whatever_encoding_the_client_is_told(
    database: DatabaseSettings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps.run(engine, f"ALTER DATABASE {engine.url.database} SET client_encoding = 'LATIN1'")
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    other = connect(database, "test")
    job = steps.submit(other, texts=["ein 🎬 film"])
    assert steps.rows(engine, "SELECT text FROM job_rows WHERE job_id = :job", job=job) == [("ein 🎬 film",)]
    other.dispose()


def test_a_role_that_may_not_create_tables_is_refused(nothing: DatabaseSettings, bare: Engine) -> None:
    with plain_role(nothing, bare) as plain:
        said = refused(plain, migrates=True)
        assert "may not create tables in the schema public: run GRANT CREATE ON SCHEMA" in said
        steps.run(bare, said.partition("run ")[2].partition(" as its")[0])
        assert "may not create it: run CREATE EXTENSION vector" in refused(plain, migrates=True)
        steps.run(bare, "CREATE EXTENSION vector")
        assert upgrade(plain) == newest()
        check(plain, "test")


def test_a_role_without_privileges_on_the_tables_is_refused(database: DatabaseSettings, engine: Engine) -> None:
    with plain_role(database, engine, "SELECT ON ALL TABLES IN SCHEMA public") as plain:
        said = refused(plain)
        assert "lacks privileges: UPDATE on jobs, UPDATE on reviews" in said
        steps.run(engine, said.partition("run ")[2].removesuffix("."))
        check(plain, "test")


def test_a_server_without_pgvector_is_refused(nothing: DatabaseSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "_VECTOR", requirements._VECTOR.replace("'vector'", "'absent'"))
    assert refused(nothing, migrates=True).startswith("The server has no pgvector: install version 0.8 or newer")


def test_an_old_pgvector_is_refused(nothing: DatabaseSettings, bare: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "OLDEST_VECTOR", (9, 0))
    assert "ALTER EXTENSION" not in refused(nothing, migrates=True)
    steps.run(bare, "CREATE EXTENSION vector")
    assert "and run ALTER EXTENSION vector UPDATE" in refused(nothing, migrates=True)


def test_pgvector_in_a_schema_that_is_not_searched_is_refused(nothing: DatabaseSettings, bare: Engine) -> None:
    steps.run(bare, "CREATE SCHEMA extra")
    steps.run(bare, "CREATE EXTENSION vector SCHEMA extra")
    assert refused(nothing, migrates=True).startswith("The extension vector is in the schema extra")
    check(with_(nothing, f"{SEARCH_PATH}public,extra"), "test", migrates=True)


def test_a_search_path_that_begins_with_no_schema_is_refused(database: DatabaseSettings, engine: Engine) -> None:
    for path in ("nowhere", "nowhere,public"):
        assert "the schema nowhere does not exist" in refused(with_(database, f"{SEARCH_PATH}{path}"))
    steps.run(engine, "CREATE SCHEMA locked")
    with plain_role(database, engine) as plain:
        assert "the schema locked does not exist, or plain_" in refused(with_(plain, f"{SEARCH_PATH}locked,public"))


def test_a_search_path_with_the_tables_in_a_later_schema_is_refused(database: DatabaseSettings, engine: Engine) -> None:
    steps.run(engine, "CREATE SCHEMA other")
    path = f"{SEARCH_PATH}other,public"
    for migrates in (False, True):
        said = refused(with_(database, path), migrates=migrates)
        assert "new tables would go to the schema other, but alembic_version is in public" in said


def test_everything_is_in_the_schema_of_the_url(nothing: DatabaseSettings, bare: Engine, model_id: int) -> None:
    steps.run(bare, "CREATE SCHEMA mine")
    settings = with_(nothing, f"{SEARCH_PATH}mine")
    assert upgrade(settings) == newest()
    check(settings, "test")
    engine = connect(settings, "test")
    steps.submit(engine)
    assert steps.claim(engine)
    engine.dispose()
    schemas = "SELECT DISTINCT schemaname FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    assert steps.rows(bare, schemas) == [("mine",)]
    assert model_id


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_usual_scheme_works(database: DatabaseSettings, scheme: str) -> None:
    rest = database.database_url.partition("://")[2]
    check(DatabaseSettings(database_url=f"{scheme}://{rest}"), "test")


def test_of_several_hosts_the_first_that_answers_is_used(database: DatabaseSettings) -> None:
    here = urlsplit(database.database_url)
    user, _, place = here.netloc.rpartition("@")
    several = with_(
        database,
        "?target_session_attrs=read-write",
        netloc=f"{user}@127.0.0.1:{embedded.free_port()},{place}",
    )
    check(several, "test")
    engine = connect(several, "test")
    assert steps.rows(engine, "SELECT 1") == [(1,)]
    engine.dispose()


def test_an_unknown_host_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = DatabaseSettings(database_url="postgresql://nobody@no.such.host.invalid/nothing")
    with pytest.raises(DatabaseUnreachable, match=r"^The database cannot be reached\.$") as raised:
        check(settings, "test")
    assert "no.such.host.invalid" in raised.value.reason
    logged: list[dict[str, object]] = []
    monkeypatch.setattr(preflight.log, "warning", lambda _, **fields: logged.append(fields))
    preflight.check_at_start(settings, "test")
    assert "no.such.host.invalid" in str(logged[0]["reason"])


def test_a_pooler_in_transaction_mode_is_refused(database: DatabaseSettings) -> None:
    with pooler(database.database_url, per_transaction=True, options=TIMEOUT) as port:
        assert "a connection pooler in transaction mode" in refused(at(database, port))


def test_a_pooler_that_keeps_sessions_and_their_settings_is_accepted(database: DatabaseSettings) -> None:
    with pooler(database.database_url, per_transaction=False, options=TIMEOUT) as port:
        check(at(database, port), "test")


def test_a_pooler_that_drops_session_settings_is_refused(database: DatabaseSettings) -> None:
    with pooler(database.database_url, per_transaction=False) as port:
        assert "statement_timeout is 0 ms and not 5000 ms" in refused(at(database, port))


def test_a_pooler_that_refuses_session_settings_is_named(database: DatabaseSettings) -> None:
    with pooler(database.database_url, per_transaction=True, refuses_options=True) as port:
        assert "a connection pooler that refuses session settings" in refused(at(database, port))


@pytest.fixture
def tls(database: DatabaseSettings, tmp_path: Path) -> Iterator[TlsServer]:
    """A server with TLS in front of the test's database."""
    with serving(TlsServer(port_of(database), tmp_path)) as server:
        yield server


def test_tls_options_of_the_url_are_used(database: DatabaseSettings, tls: TlsServer) -> None:
    port, password = tls.server_address[1], urlsplit(database.database_url).password or ""
    secure = with_(at(database, port, "localhost"), f"?sslmode=verify-full&sslrootcert={tls.authority}")
    check(secure, "test")
    engine = connect(secure, "test")
    job = steps.submit(engine, texts=["a confidential film"])
    assert steps.rows(engine, "SELECT text FROM job_rows WHERE job_id = :job", job=job) == [("a confidential film",)]
    engine.dispose()
    wire = b"".join(tls.wire)
    assert len(wire) > 2_000
    assert not [word for word in ("confidential", "SELECT", "verdict-test", password) if word.encode() in wire]


def test_a_certificate_of_another_authority_is_refused(
    database: DatabaseSettings, tls: TlsServer, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = TlsServer(0, tmp_path / "other")
    other.server_close()
    wrong = with_(
        at(database, tls.server_address[1], "localhost"), f"?sslmode=verify-full&sslrootcert={other.authority}"
    )
    with pytest.raises(DatabaseUnreachable) as raised:
        check(wrong, "test")
    assert "certificate verify failed" in raised.value.reason


@pytest.mark.parametrize("module", ["db.migrate", "api.main", "maintenance.main", "worker.main"])
def test_every_process_ends_with_one_line_and_exit_code_2(latin: DatabaseSettings, module: str) -> None:
    if module == "worker.main" and not (WorkerSettings().model_directory() / "manifest.json").exists():
        pytest.skip("there is no model under models/; `verdict train` and `verdict export` make one")
    ended = _run("-m", module, latin=latin)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
    assert "has the encoding LATIN1, and UTF8 is needed" in ended.stderr


def test_verdict_run_ends_with_one_line_and_exit_code_2(latin: DatabaseSettings, tmp_path: Path) -> None:
    ended = _run("-m", "cli.main", "run", latin=latin, VERDICT_HOME=str(tmp_path), PORT="0", COLUMNS="1000")
    assert ended.returncode == 2, ended.stderr
    [line] = [line for line in ended.stderr.splitlines() if line.startswith("error:")]
    assert "has the encoding LATIN1, and UTF8 is needed" in line


def _run(*words: str, latin: DatabaseSettings, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": latin.database_url, "REDIS_URL": "redis://127.0.0.1:9/0"} | env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
