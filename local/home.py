"""VERDICT_HOME: one run at a time, the same addresses at every start, and no leftovers of a killed run."""

import fcntl
import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import Signals
from urllib.parse import urlsplit

from local import embedded, postgres_data
from local.errors import LocalError
from monitoring.cgroup import SHARED_BY

# Set in the environment of every process of a run, so that the next run finds survivors.
MARK = SHARED_BY


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Lock the home until the block or this process ends. Raises LocalError if another run holds the lock."""
    home.mkdir(parents=True, exist_ok=True, mode=0o711)
    with (home / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            file.seek(0)
            raise LocalError(f"`verdict run` already uses {home} (process {file.read().strip()})") from exc
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def stop_leftovers(home: Path) -> int:
    """Kill the processes, servers excepted, that a killed run of this home left; return their number."""
    mark = f"{MARK}={home}".encode()
    found = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if mark in _environment(path)]
    for pid in found:
        with suppress(ProcessLookupError):
            process = os.pidfd_open(pid)
            signal.pidfd_send_signal(process, Signals.SIGKILL)
            embedded.has_ended(process, embedded.STOP_SECONDS)
            os.close(process)
    return len(found)


def open_postgres(home: Path) -> embedded.EmbeddedServer:
    """Describe the PostgreSQL of the home at the address of its last run; missing data is created."""
    folder, address = home / "postgres", home / "postgres.url"
    embedded.stop_leftover(folder / embedded.POSTGRES_PID, embedded.POSTGRES_STOP)
    port, password = _remembered(address)
    server = embedded.postgres(folder, embedded.free_port(port), password)
    if not address.exists():
        postgres_data.set_password(folder, password)  # the file was lost, the data exists
    embedded.write_private(address, server.url + "\n")
    return server


def open_valkey(home: Path) -> embedded.EmbeddedServer:
    """Describe the Valkey of the home at the address of its last run."""
    folder, address = home / "valkey", home / "valkey.url"
    embedded.stop_leftover(folder / embedded.VALKEY_PID, embedded.VALKEY_STOP)
    port, password = _remembered(address)
    server = embedded.valkey(folder, embedded.free_port(port), password)
    embedded.write_private(address, server.url + "\n")
    return server


def _remembered(address: Path) -> tuple[int, str]:
    """Read port and password of the last run; choose new ones if the file is missing or damaged."""
    with suppress(FileNotFoundError, ValueError):
        url = urlsplit(address.read_text().strip())
        if url.port and url.password:
            return url.port, url.password
        address.unlink()
    return 0, secrets.token_urlsafe(24)


def _environment(environ: Path) -> list[bytes]:
    with suppress(OSError):  # of another user, or gone
        return environ.read_bytes().split(b"\0")
    return []
