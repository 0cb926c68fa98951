"""The migrations build exactly what the models say, in any order of events."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import text

from db import migrate
from db.engine import DatabaseUnavailable, DatabaseUnusable, Engine, transaction
from db.migrate import alembic_config, newest, upgrade
from db.models import Base
from local import embedded
from settings import ROOT, DatabaseSettings
from tests.db import steps

CATALOGUE = {
    "columns": """
        SELECT table_name, column_name, data_type, udt_name, is_nullable, column_default, identity_generation
        FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2""",
    "indexes": "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
    "storage": """
        SELECT relname, reloptions FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1""",
}


def catalogue(engine: Engine) -> dict[str, list[Any]]:
    """Everything that the schema consists of, but for Alembic's own table."""
    with transaction(engine) as connection:
        return {
            part: [tuple(row) for row in connection.execute(text(query)) if row[0] != "alembic_version"]
            for part, query in CATALOGUE.items()
        }


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory.from_config(alembic_config()).get_heads()) == 1


def test_alembic_finds_nothing_to_migrate(engine: Engine) -> None:
    with transaction(engine) as connection:
        command.check(alembic_config(connection))


def test_migrations_build_what_the_models_say_to_the_last_constraint(engine: Engine, bare: Engine) -> None:
    steps.run(bare, "CREATE EXTENSION vector")
    with transaction(bare) as connection:
        Base.metadata.create_all(connection)
    assert catalogue(engine) == catalogue(bare)


def test_down_leaves_nothing_and_up_again_builds_the_same(engine: Engine) -> None:
    before = catalogue(engine)
    with transaction(engine) as connection:
        command.downgrade(alembic_config(connection), "base")
    assert {part: len(found) for part, found in catalogue(engine).items()} == dict.fromkeys(CATALOGUE, 0)
    with transaction(engine) as connection:
        command.upgrade(alembic_config(connection), "head")
    assert catalogue(engine) == before


def test_what_was_sent_before_bulk_is_kept_up_and_down(bare: Engine) -> None:
    with transaction(bare) as connection:
        command.upgrade(alembic_config(connection), "0001_spine")
        connection.execute(text("INSERT INTO jobs (lane, model, total, queued) VALUES ('bulk', 'default', 1, 1)"))
        connection.execute(
            text(
                "INSERT INTO reviews (id, job_id, index, tokens_estimate, queued_at)"
                " SELECT uuidv7(), id, 0, 3, now() FROM jobs"
            )
        )
        connection.execute(text("INSERT INTO review_texts SELECT id, 'a text', 'mine' FROM reviews"))
    sent = "SELECT review_id, text, caller_id FROM "
    before = steps.rows(bare, sent + "review_texts")
    with transaction(bare) as connection:
        command.upgrade(alembic_config(connection), "0002_bulk")
    assert steps.rows(bare, sent + "job_rows") == before
    assert steps.rows(bare, "SELECT copies, line FROM reviews JOIN job_rows ON review_id = id") == [(1, None)]
    with transaction(bare) as connection:
        command.downgrade(alembic_config(connection), "0001_spine")
    assert steps.rows(bare, sent + "review_texts") == before


def test_an_upgrade_of_the_newest_changes_nothing(database: DatabaseSettings, engine: Engine) -> None:
    before = catalogue(engine)
    assert upgrade(database) == newest()
    assert catalogue(engine) == before


def test_upgrades_at_once_wait_for_each_other(nothing: DatabaseSettings, bare: Engine) -> None:
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: upgrade(nothing), range(4))) == {newest()}
    with transaction(bare) as connection:
        assert migrate.current(connection) == newest()


def test_a_database_without_a_schema_has_no_version(bare: Engine) -> None:
    with transaction(bare) as connection:
        assert migrate.current(connection) is None


def test_without_a_store_an_upgrade_says_so() -> None:
    url = f"postgresql://nobody@127.0.0.1:{embedded.free_port()}/nothing"
    with pytest.raises(DatabaseUnavailable):
        upgrade(DatabaseSettings(database_url=url))


def test_without_the_right_to_pgvector_an_upgrade_says_so_and_changes_nothing(
    nothing: DatabaseSettings, bare: Engine
) -> None:
    name = urlsplit(nothing.database_url).path.removeprefix("/")
    steps.run(bare, f"CREATE ROLE plain_{name} LOGIN PASSWORD 'plain'")
    steps.run(bare, f"GRANT ALL ON SCHEMA public TO plain_{name}")
    host = urlsplit(nothing.database_url).netloc.rpartition("@")[2]
    with pytest.raises(DatabaseUnusable, match="CREATE EXTENSION vector"):
        upgrade(DatabaseSettings(database_url=f"postgresql://plain_{name}:plain@{host}/{name}"))
    with transaction(bare) as connection:
        assert migrate.current(connection) is None


def ended(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str) -> tuple[object, str]:
    """Return exit code and stderr of the command."""
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SystemExit) as exit_:
        migrate.main()
    return exit_.value.code, capsys.readouterr().err


def test_the_command_ends_with_one_line_without_a_database(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = embedded.free_port()
    code, line = ended(monkeypatch, capsys, f"postgresql://nobody@127.0.0.1:{port}/nothing")
    assert (code, line.count("\n")) == (2, 1)
    assert line.startswith("migrate: The database cannot be reached")
    assert str(port) in line


def test_a_schema_of_another_application_is_refused(
    database: DatabaseSettings, engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps.run(engine, "UPDATE alembic_version SET version_num = 'a_stranger'")
    code, line = ended(monkeypatch, capsys, database.database_url)
    assert (code, line.count("\n")) == (2, 1)
    assert line.startswith("migrate: The schema is at a_stranger, which this version")


def test_a_migration_that_fails_says_why_and_changes_nothing(
    nothing: DatabaseSettings, bare: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps.run(bare, "CREATE TABLE jobs (mine int)")
    code, line = ended(monkeypatch, capsys, nothing.database_url)
    assert (code, line.count("\n")) == (2, 1)
    assert 'relation "jobs" already exists' in line
    assert steps.rows(bare, "SELECT FROM pg_tables WHERE schemaname = 'public'") == [()]


def test_the_command_names_the_version(
    nothing: DatabaseSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", nothing.database_url)
    migrate.main()
    assert newest() in capsys.readouterr().out


@pytest.mark.parametrize("source", sorted(ROOT.glob("migrations/versions/*.py")), ids=lambda path: path.stem)
@pytest.mark.parametrize("step", ["upgrade", "downgrade"])
def test_no_migration_waits_long_for_a_lock(source: Any, step: str) -> None:
    _, _, body = source.read_text().partition(f"def {step}() -> None:")
    assert "lock_timeout" in body.partition("\ndef ")[0]
