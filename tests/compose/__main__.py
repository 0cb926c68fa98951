"""The test of the containers: `make compose-test`.

Builds the images, brings everything up under a project name of its own, breaks it, counts, and removes it again.
Exit code 1 if an expectation failed, 0 if there is no container engine.
"""

import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console

from settings import ROOT
from tests.compose import keeping, mistakes, scaling, starting, watching, working
from tests.compose.engine import TAG, Failed, NoEngine, Project, compose_command, fetch, free_ports, run
from tests.compose.outcome import Outcome, show
from tests.compose.traffic import Traffic

MOST_SECONDS = 540  # the rest of ten minutes is for the cleanup
WORKERS = 2
PORTS = ("PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT", "GRAFANA_PORT")

console = Console(width=None if sys.stdout.isatty() else 120)


def main(
    keep_images: Annotated[bool, typer.Option(help="Leave them, so that a next run builds only what changed.")] = False,
    scale_only: Annotated[bool, typer.Option("--scaling", help="Only measure two workers against one.")] = False,
) -> None:
    """Build the images, bring everything up, break it, count, and remove it again."""
    try:
        command = compose_command()
        with tempfile.TemporaryDirectory(prefix="verdict-compose-") as folder:
            steps = _scaling if scale_only else _steps
            held = _try(_project(command, Path(folder)), steps, keep_images=keep_images)
    except NoEngine as reason:
        console.print(f"compose test skipped: {reason}", markup=False)
        return
    raise typer.Exit(not held)


def _project(command: tuple[str, ...], folder: Path) -> Project:
    """Return a project with small limits, and secrets with characters that are hard to quote."""
    empty = folder / "env"
    empty.touch()
    env = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    env |= {"POSTGRES_PASSWORD": f"p@ss:/?#%{secrets.token_hex(8)}", "GRAFANA_PASSWORD": secrets.token_hex(8)}
    env |= {"VERDICT_VERSION": TAG, "WORKER_CPUS": "1.0", "WORKER_THREADS": "1"}
    return Project(command, env, empty)


def _try(project: Project, steps: Callable[[Project], Iterator[Outcome]], *, keep_images: bool) -> bool:
    outcomes: list[Outcome] = []
    began = time.monotonic()
    with _limited(MOST_SECONDS), _cleared(project, outcomes, keep_images=keep_images):
        images = {service["image"] for service in project.config().values() if "build" not in service}
        for image in sorted(images | {starting.BASE}):
            fetch(image)
        _choose_routing(project, outcomes)
        for outcome in steps(project):
            outcome.seconds = time.monotonic() - outcome.began
            outcomes.append(outcome)
            console.print(f"{outcome.done}: {'held' if not outcome.wrong else 'NOT held'}", markup=False)
    show(console, outcomes)
    left = "images are left" if keep_images else "images are removed, too"
    console.print(f"{time.monotonic() - began:.0f} s in all; containers, networks and volumes are removed, {left}")
    return not any(outcome.wrong for outcome in outcomes)


def _steps(project: Project) -> Iterator[Outcome]:
    """Yield every step in order."""
    api, prometheus = (f"http://127.0.0.1:{project.env[name]}" for name in PORTS[:2])
    yield mistakes.secrets_are_asked_for(project)
    yield starting.builds(project)
    with httpx.Client(base_url=api, timeout=30) as client:
        yield starting.comes_up(project, client)
        yield starting.is_hardened(project)
        yield mistakes.mistakes_are_named(project)
        yield working.answers(client)
        yield working.takes_a_file(client)
        yield working.scales(project, client, WORKERS)
        yield working.bulk_begins(client)
        with Traffic(api) as traffic:
            yield working.worker_is_killed(project, client, traffic)
            for service in ("redis", "postgres"):
                yield working.server_is_restarted(project, client, traffic, service)
            yield watching.everything_is_watched(project, prometheus, WORKERS)
        yield working.memory_is_within_limits(project)
        yield working.counts_agree(project, client, traffic, others=3)
        yield mistakes.wrong_password_stops_the_start(project, client)
        yield keeping.data_is_kept(project, client, traffic)
        yield keeping.dump_is_restored(project, client, traffic)


def _scaling(project: Project) -> Iterator[Outcome]:
    """Measure two workers against one, and nothing else."""
    yield starting.builds(project)
    with httpx.Client(base_url=f"http://127.0.0.1:{project.env['PORT']}", timeout=30) as client:
        yield starting.comes_up(project, client)
        yield scaling.two_against_one(project, client)


def _choose_routing(project: Project, outcomes: list[Outcome]) -> None:
    """Use the shipped routing of alerts, unless this Alertmanager is too old for it."""
    folder, image = ROOT / "monitoring" / "prometheus", project.config()["alertmanager"]["image"]
    check = ["--entrypoint=amtool", f"--volume={folder}:/config:ro", image, "check-config", "/config/alertmanager.yml"]
    try:
        run("docker", "run", "--rm", "--network=none", *check)
    except Failed as error:
        if "field url_file not found" not in error.said:
            raise
        project.env["ALERTMANAGER_CONFIG"] = "./tests/compose/alertmanager"
        outcome = Outcome(
            "routing of alerts", not_shown=["this Alertmanager is older than 0.26, which the shipped one needs"]
        )
        outcomes.append(outcome)


@contextmanager
def _limited(seconds: int) -> Iterator[None]:
    """Raise an error when the time is up or a signal comes, so that the test cleans up."""

    def stop(number: int, _: object) -> None:
        raise Failed("the time is up" if number == signal.SIGALRM else f"stopped by signal {number}")

    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.alarm(seconds)
    yield
    signal.alarm(0)


@contextmanager
def _cleared(project: Project, outcomes: list[Outcome], *, keep_images: bool) -> Iterator[None]:
    """Remove the project before and after the block; turn a failure into an outcome with the logs of the containers."""
    project.remove()
    try:
        yield
    except (Failed, httpx.HTTPError) as error:
        outcomes.append(Outcome("the test went to its end", wrong=[str(error), *_last_words(project)]))
    finally:
        signal.alarm(0)
        _try_to(project.remove)
        if not keep_images:
            _try_to(project.remove_images)


def _last_words(project: Project) -> list[str]:
    with suppress(Failed):
        return [project.compose("ps"), project.compose("logs", "--no-color", "--tail=5")]
    return []


def _try_to(act: Callable[[], None]) -> None:
    try:
        act()
    except Failed as error:
        console.print(f"could not clear up: {error}", markup=False)


if __name__ == "__main__":
    typer.run(main)
