"""`verdict run`: the whole service on one machine, from PostgreSQL to the API, under one supervisor."""

import http.client
import sys
from dataclasses import replace
from pathlib import Path
from signal import Signals
from urllib.parse import urlencode

from dotenv import load_dotenv
from pydantic import ValidationError

from local import embedded, home, metrics_targets
from local.metrics_targets import Address
from local.supervisor import Command, Stopped, Supervisor
from settings import ApiSettings, MetricsSettings, RunSettings, WorkerSettings, problem
from verdict_cli.output import CommandError, say, stdout

STORE, BROKER, WORKERS, MAINTENANCE, API = range(5)  # stages, which start in this order and stop in the opposite one
ENV = Path(".env")
BEATS = "heartbeats"  # folder in the home, with a file for each process
SERVER_SECONDS = 60
READY_SECONDS = 120

READY = """\
Verdict is ready.

  API   {url}
  docs  {url}/docs
  data  {home}   (logs in {home}/logs{database})
  metrics  {targets}   (targets of all processes, for Prometheus)

Try it:

  curl {url}/v1/classify -H 'Content-Type: application/json' \\
    -d '{{"review_text": "A warm, funny and beautifully acted film."}}'

Ctrl-C stops everything; the data stays.
"""


def run() -> None:
    """Run everything here: PostgreSQL, Valkey, migrations, API, workers and maintenance.

    MODEL, WORKERS, HOST, PORT, VERDICT_HOME, DATABASE_URL and REDIS_URL in the environment configure it. A file .env
    in this folder is read for every process; variables of the environment have precedence. Maintenance and workers
    serve their metrics on the ports from METRICS_PORT on, or on free ports if it is not set.
    """
    load_dotenv(ENV)
    try:
        settings, listen, metrics = RunSettings(), ApiSettings(), MetricsSettings()
        model = WorkerSettings().model
    except ValidationError as exc:
        raise CommandError(problem(exc)) from exc
    folder = settings.verdict_home.absolute()
    try:
        with home.locked(folder):
            home.stop_leftovers(folder)
            address = metrics_targets.free_address(listen.host, listen.port)
            names = [metrics_targets.MAINTENANCE, *(f"worker-{number}" for number in range(1, settings.workers + 1))]
            exporters = metrics_targets.exporters(metrics, names, address[1])
            with Supervisor(folder / "logs", say) as supervisor:
                # A job that names no model goes to the one that these workers serve.
                own = {"HOST": address[0], "PORT": str(address[1]), "DEFAULT_MODEL": listen.default_model or model}
                (folder / BEATS).mkdir(exist_ok=True, mode=0o700)
                _serve(supervisor, folder, settings, own, exporters, model)
    except OSError as exc:
        raise CommandError(f"{folder}: {exc.strerror} ({exc.filename})") from exc


def _serve(  # noqa: PLR0913, PLR0917  the composition of a run
    supervisor: Supervisor,
    folder: Path,
    settings: RunSettings,
    own: dict[str, str],
    exporters: dict[str, Address],
    model: str,
) -> None:
    address = own["HOST"], int(own["PORT"])
    try:
        env = _start_servers(supervisor, folder, settings) | own | {home.MARK: str(folder)}
        say("migrating the database")
        supervisor.complete(_python("db.migrate", env, stage=MAINTENANCE))
        _start_own(supervisor, folder, env, exporters)
        metrics = metrics_targets.write(folder, address, exporters)
        _wait_until_ready(supervisor, address, model, folder / "logs")
        database = "" if settings.database_url else f'; psql "$(cat {folder}/postgres.url)"'
        stdout.print(READY.format(url=_url(address), home=folder, database=database, targets=metrics), markup=False)
        supervisor.watch()
    except Stopped:
        say("stopping; press Ctrl-C again to stop at once")


def _start_servers(supervisor: Supervisor, folder: Path, settings: RunSettings) -> dict[str, str]:
    """Start the servers that no setting names; return the addresses of both."""
    database_url, redis_url = settings.database_url, settings.redis_url
    if database_url is None:
        say(f"starting PostgreSQL on {folder / 'postgres'}")
        database_url = _start_server(supervisor, home.open_postgres(folder), STORE)
    if redis_url is None:
        say("starting Valkey")
        redis_url = _start_server(supervisor, home.open_valkey(folder), BROKER)
    return {"DATABASE_URL": database_url, "REDIS_URL": redis_url}


def _start_server(supervisor: Supervisor, server: embedded.EmbeddedServer, stage: int) -> str:
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


def _start_own(supervisor: Supervisor, folder: Path, env: dict[str, str], exporters: dict[str, Address]) -> None:
    """Start workers, maintenance and the API; the API serves its metrics at its own address."""
    for name, (host, port) in exporters.items():
        own = env | {"METRICS_HOST": host, "METRICS_PORT": str(port)}
        if name == metrics_targets.MAINTENANCE:
            supervisor.start(_beating(folder, _python("maintenance.main", own, MAINTENANCE)))
        else:
            supervisor.start(_beating(folder, _python("worker.main", own, WORKERS, name=name, grace_seconds=28)))
    supervisor.start(_beating(folder, _python("api.main", env, API)))


def _beating(folder: Path, command: Command) -> Command:
    return replace(command, heartbeat=folder / BEATS / command.name)


def _python(module: str, env: dict[str, str], stage: int, *, name: str = "", grace_seconds: float = 10) -> Command:
    name = name or {"db.migrate": "migrate"}.get(module, module.removeprefix("worker.").removesuffix(".main"))
    return Command(name, (sys.executable, "-m", module), stage, env, grace_seconds=grace_seconds)


def _wait_until_ready(supervisor: Supervisor, address: Address, model: str, logs: Path) -> None:
    say(f"starting API, maintenance and a worker of the model {model}")
    if not supervisor.wait_until(lambda: _readiness(address, model).startswith("200"), READY_SECONDS):
        raise CommandError(f"not ready after {READY_SECONDS} s: {_readiness(address, model)}; see {logs}", exit_code=1)
    supervisor.mark_healthy()


def _readiness(address: Address, model: str) -> str:
    """Return status and body of GET /readyz for the model in one line, or the error."""
    connection = http.client.HTTPConnection(*metrics_targets.reachable(address), timeout=2)
    try:
        connection.request("GET", f"/readyz?{urlencode({'model': model})}")
        answer = connection.getresponse()
        return f"{answer.status} {' '.join(answer.read().decode(errors='replace').split())}"
    except (OSError, http.client.HTTPException) as exc:
        return f"no answer ({exc})"
    finally:
        connection.close()


def _url(address: Address) -> str:
    return f"http://{metrics_targets.netloc(*metrics_targets.reachable(address))}"
