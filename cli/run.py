"""`verdict run`: the whole service on one machine, from PostgreSQL to the API, under one supervisor."""

import http.client
import socket
import sys
from pathlib import Path
from signal import Signals

from dotenv import load_dotenv
from pydantic import ValidationError

from cli import embedded, home
from cli.output import CommandError, say, stdout
from cli.supervisor import Command, Stopped, Supervisor
from settings import ApiSettings, RunSettings

STORE, DOORBELL, WORKERS, MAINTENANCE, API = range(5)  # stages: the last to start is the first to stop
ENV = Path(".env")
SERVER_SECONDS = 60
READY_SECONDS = 120

READY = """\
Verdict is ready.

  API   {url}
  docs  {url}/docs
  data  {home}   (logs in {home}/logs{database})

Try it:

  curl {url}/v1/classify -H 'Content-Type: application/json' \\
    -d '{{"review_text": "A warm, funny and beautifully acted film."}}'

Ctrl-C stops everything; the data stays.
"""


def run() -> None:
    """Run everything here: PostgreSQL, Valkey, migrations, API, workers and maintenance.

    HOST, PORT, VERDICT_HOME, WORKERS, DATABASE_URL and REDIS_URL in the environment change it; a file .env here is
    read into it, for every process, where the environment does not say otherwise.
    """
    load_dotenv(ENV)
    try:
        settings, listen = RunSettings(), ApiSettings()
    except ValidationError as exc:
        wrong = (f"{str(error['loc'][0]).upper()}: {error['msg']}" for error in exc.errors())
        raise CommandError("; ".join(wrong)) from exc
    folder = settings.verdict_home.absolute()
    try:
        with home.locked(folder):
            home.stop_leftovers(folder)
            address = free_address(listen.host, listen.port)
            with Supervisor(folder / "logs", say) as supervisor:
                _serve(supervisor, folder, settings, address)
    except OSError as exc:
        raise CommandError(f"{folder}: {exc.strerror} ({exc.filename})") from exc


def _serve(supervisor: Supervisor, folder: Path, settings: RunSettings, address: tuple[str, int]) -> None:
    try:
        env = _start_servers(supervisor, folder, settings)
        env |= {"HOST": address[0], "PORT": str(address[1]), home.MARK: str(folder)}
        say("migrating the database")
        supervisor.complete(_python("db.migrate", env, stage=MAINTENANCE))
        for number in range(1, settings.workers + 1):
            supervisor.start(_python("worker.main", env, WORKERS, name=f"worker-{number}", grace_seconds=28))
        supervisor.start(_python("worker.maintenance", env, MAINTENANCE))
        supervisor.start(_python("api.main", env, API))
        _wait_until_ready(supervisor, address, folder / "logs")
        database = "" if settings.database_url else f'; psql "$(cat {folder}/postgres.url)"'
        stdout.print(READY.format(url=_url(address), home=folder, database=database), markup=False)
        supervisor.watch()
    except Stopped:
        say("stopping; once more to stop at once")


def _start_servers(supervisor: Supervisor, folder: Path, settings: RunSettings) -> dict[str, str]:
    """Start the servers that are not given; returns the addresses of both."""
    database_url, redis_url = settings.database_url, settings.redis_url
    if database_url is None:
        say(f"starting PostgreSQL on {folder / 'postgres'}")
        database_url = _start_server(supervisor, home.open_postgres(folder), STORE)
    if redis_url is None:
        say("starting Valkey")
        redis_url = _start_server(supervisor, home.open_valkey(folder), DOORBELL)
    return {"DATABASE_URL": database_url, "REDIS_URL": redis_url}


def _start_server(supervisor: Supervisor, server: embedded.Server, stage: int) -> str:
    process = supervisor.start(
        Command(
            server.name,
            server.argv,
            stage,
            cwd=server.folder,
            stop_signal=server.stop_signal,
            kill_signal=Signals.SIGQUIT,
            orphan_signal=server.stop_signal,
            prepare=lambda: embedded.stop_leftover(server.pid_file, server.stop_signal),
        )
    )
    if not supervisor.wait_until(lambda: server.is_ready(process.pid), SERVER_SECONDS):
        raise CommandError(f"{server.name} does not answer: {process.log.last_line()}", exit_code=1)
    return server.url


def _python(module: str, env: dict[str, str], stage: int, *, name: str = "", grace_seconds: float = 10) -> Command:
    name = name or {"db.migrate": "migrate"}.get(module, module.removeprefix("worker.").removesuffix(".main"))
    return Command(name, (sys.executable, "-m", module), stage, env, grace_seconds=grace_seconds)


def _wait_until_ready(supervisor: Supervisor, address: tuple[str, int], logs: Path) -> None:
    say("starting API, worker and maintenance")
    if not supervisor.wait_until(lambda: _readiness(address).startswith("200"), READY_SECONDS):
        raise CommandError(f"not ready after {READY_SECONDS} s: {_readiness(address)}; see {logs}", exit_code=1)
    supervisor.vouch()


def _readiness(address: tuple[str, int]) -> str:
    """Ask GET /readyz: status and body in one line, or why there is none."""
    connection = http.client.HTTPConnection(*_reachable(address), timeout=2)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return f"{answer.status} {' '.join(answer.read().decode(errors='replace').split())}"
    except (OSError, http.client.HTTPException) as exc:
        return f"no answer ({exc})"
    finally:
        connection.close()


def free_address(host: str, port: int) -> tuple[str, int]:
    """Return the address to listen on, with a port chosen for 0. Raises CommandError when it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as exc:
        raise CommandError(f"HOST={host} is no address of this machine: {exc.strerror}") from exc
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as exc:
            raise CommandError(
                f"port {port} of {host} cannot be had ({exc.strerror}); choose another with PORT=…"
            ) from exc
        return host, int(probe.getsockname()[1])


def _reachable(address: tuple[str, int]) -> tuple[str, int]:
    """Return where a client on this machine finds a server that listens on `address`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0]), address[1]  # noqa: S104 - compared, not bound


def _url(address: tuple[str, int]) -> str:
    host, port = _reachable(address)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
