"""The embedded servers and VERDICT_HOME: data is kept, leftovers are stopped, files stay private."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import Signals

import psycopg
import pytest
import redis

from local import home
from local.errors import LocalError
from local.supervisor import Command, spawn
from tests.cli.conftest import is_alive
from tests.servers import running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create one home for all tests here; every test starts its own servers."""
    made = tmp_path_factory.mktemp("home")
    home.open_postgres(made)
    return made


@pytest.fixture
def stranger() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


def test_a_second_start_has_the_same_address_and_the_data(folder: Path) -> None:
    urls = []
    for statement in ("CREATE TABLE kept AS SELECT 42 AS answer", "SELECT 1"):
        server = home.open_postgres(folder)
        with running(server, folder / "log"), psycopg.connect(server.url) as connection:
            connection.execute(statement)
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        urls.append(server.url)
    assert urls[0] == urls[1]


def test_postgres_is_safe_and_has_pgvector(folder: Path) -> None:
    server = home.open_postgres(folder)
    with running(server, folder / "log"), psycopg.connect(server.url) as connection:
        for name, value in {"fsync": "on", "synchronous_commit": "on", "listen_addresses": "127.0.0.1"}.items():
            assert connection.execute("SELECT current_setting(%s)", [name]).fetchone() == (value,)
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")


def test_the_servers_refuse_connections_without_the_password(folder: Path) -> None:
    store, waker = home.open_postgres(folder), home.open_valkey(folder)
    with running(store, folder / "log"), running(waker, folder / "valkey.log"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(store.url, password="guess")
        with (
            redis.Redis.from_url(waker.url) as known,
            redis.Redis(port=known.get_connection_kwargs()["port"]) as other,
        ):
            assert known.ping()
            with pytest.raises(redis.AuthenticationError):
                other.ping()
    assert {(folder / name).stat().st_mode & 0o777 for name in ("postgres.url", "valkey.url")} == {0o600}


def test_a_lost_address_file_is_written_anew(folder: Path) -> None:
    (folder / "postgres.url").unlink()
    server = home.open_postgres(folder)
    with running(server, folder / "log"), psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_servers_that_outlived_their_run_are_stopped(folder: Path) -> None:
    for opened in (home.open_postgres, home.open_valkey):
        server = opened(folder)
        left = spawn(Command(server.name, server.argv, 0, cwd=server.folder), folder / "log")
        while not server.is_ready(left.pid):
            assert left.poll() is None
        opened(folder)
        assert left.wait(1) == 0


def test_a_killed_postgres_starts_again(folder: Path) -> None:
    server = home.open_postgres(folder)
    with running(server, folder / "log") as process:
        os.kill(process.pid, Signals.SIGKILL)
    server = home.open_postgres(folder)
    with running(server, folder / "log"), psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_another_process_with_the_id_of_an_old_server_is_left_alone(
    folder: Path, stranger: "subprocess.Popen[bytes]"
) -> None:
    (folder / "postgres" / "postmaster.pid").write_text(f"{stranger.pid}\n{folder}/postgres\n0\n0\n\n127.0.0.1\n")
    server = home.open_postgres(folder)
    with running(server, folder / "log"):
        assert stranger.poll() is None


def test_an_interrupted_initdb_is_repeated(tmp_path: Path) -> None:
    (tmp_path / "postgres.new" / "base").mkdir(parents=True)
    (tmp_path / "postgres").mkdir()
    with running(home.open_postgres(tmp_path), tmp_path / "log"):
        assert not (tmp_path / "postgres.new").exists()


@pytest.mark.parametrize(("file", "text"), [("base", ""), ("PG_VERSION", "18"), ("PG_VERSION", "12")])
def test_an_incomplete_folder_is_refused_and_unchanged(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / "postgres" / "global").mkdir(parents=True)
    (tmp_path / "postgres" / file).write_text(text)
    if text == "12":
        (tmp_path / "postgres" / "global" / "pg_control").touch()
    with pytest.raises(LocalError, match=r"not a complete PostgreSQL data folder|written by PostgreSQL 12"):
        home.open_postgres(tmp_path)
    assert (tmp_path / "postgres" / file).read_text() == text


def test_no_folder_above_the_data_is_opened_to_others(folder: Path) -> None:
    folder.chmod(0o700)
    valkey = Path(home.open_valkey(folder).argv[0])
    above = [path for start in (folder, valkey.parent) for path in (start, *start.parents)]
    before = [(path.stat().st_mode, path.stat().st_uid) for path in above]
    with running(home.open_postgres(folder), folder / "log"):
        assert [(path.stat().st_mode, path.stat().st_uid) for path in above] == before
    assert (folder / "postgres").stat().st_mode & 0o077 == 0


def test_a_home_is_used_by_one_run_at_a_time(tmp_path: Path) -> None:
    with (
        home.locked(tmp_path),
        pytest.raises(LocalError, match=rf"already uses {tmp_path} \(process {os.getpid()}\)"),
        home.locked(tmp_path),
    ):
        pass
    with home.locked(tmp_path):
        pass


def test_processes_that_outlived_their_run_are_killed(
    tmp_path: Path, wait_for: Callable[[Callable[[], object]], None]
) -> None:
    command = ("sh", "-c", "sleep 1000 & echo $!; wait")
    ours = {**os.environ, home.MARK: str(tmp_path)}
    others = {**os.environ, home.MARK: f"{tmp_path}/other"}
    with (
        subprocess.Popen(command, env=ours, stdout=subprocess.PIPE) as left,
        subprocess.Popen(["sleep", "1000"], env=others) as other,
    ):
        assert left.stdout is not None
        child = int(left.stdout.readline())
        assert home.stop_leftovers(tmp_path) == 2
        wait_for(lambda: not is_alive(child))
        assert other.poll() is None
        other.kill()
