"""A missing or wrong setting or secret ends a container with one line that names it."""

from typing import Any

import httpx

from tests.compose.engine import Failed, Project, run, wait_until
from tests.compose.outcome import Outcome
from tests.compose.starting import is_ready

SECRETS = ("POSTGRES_PASSWORD", "GRAFANA_PASSWORD")
# Process, mistake, and a word that the line must contain.
WRONG = (
    ("migrate", "PGPASSWORD=wrong", "password"),
    ("migrate", "DATABASE_URL=postgresql://verdict@nowhere:5432/verdict", "nowhere"),
    ("api", "MAX_REVIEWS=many", "MAX_REVIEWS"),
    ("api", "DATABASE_URL=", "DATABASE_URL"),
    ("worker", "MODEL=unknown", "unknown"),
    ("worker", "WORKER_THREADS=-1", "WORKER_THREADS"),
    ("maintenance", "SWEEP_SECONDS=never", "SWEEP_SECONDS"),
)


def secrets_are_asked_for(project: Project) -> Outcome:
    """Leave out or empty each secret: nothing starts, and one line names it."""
    outcome = Outcome("a missing or empty secret is named")
    for secret in SECRETS:
        without = {name: value for name, value in project.env.items() if name != secret}
        for env in (without, without | {secret: ""}):
            try:
                project.compose("config", env=env)
            except Failed as error:
                outcome.expect(f"set {secret}" in error.said, f"no word of {secret}: {error.said}")
                outcome.expect(len(error.said.splitlines()) == 1, f"more than a line: {error.said}")
            else:
                outcome.wrong.append(f"there is a default for {secret}")
    return outcome


def wrong_password_stops_the_start(project: Project, client: httpx.Client) -> Outcome:
    """Use a wrong database password: `up` fails, one line names the reason, and running containers are not affected."""
    outcome = Outcome("a password that is not the database's")
    wrong = project.env | {"POSTGRES_PASSWORD": "another"}
    try:
        project.compose("up", "--detach", "--no-build", env=wrong)
    except Failed as error:
        outcome.figures["up said"] = error.said.splitlines()[-1]
    else:
        outcome.wrong.append("everything starts with it")
    said = project.logs("migrate").split("migrate: ")[1:]
    outcome.figures["migrate said"] = "; ".join(line.strip() for line in said)
    outcome.expect(len(said) == 1 and "password authentication failed" in said[0], f"the migration says {said}")
    wait_until(lambda: is_ready(client), "what ran before goes on")
    project.compose("up", "--detach", "--no-build")
    return outcome


def mistakes_are_named(project: Project) -> Outcome:
    """Set wrong settings and secrets: each process ends with one line, without a traceback."""
    outcome = Outcome("a wrong setting or secret gives one line")
    services = project.config()
    for service, setting, word in WRONG:
        said = _said_by(project, services[service], setting)
        outcome.figures[setting] = said[0] if said else "nothing"
        outcome.expect(len(said) == 1 and word in said[0], f"{service} with {setting} says {said}")
    return outcome


def _said_by(project: Project, service: dict[str, Any], setting: str) -> list[str]:
    name, _, value = setting.partition("=")
    environment: dict[str, Any] = service["environment"] | {name: value}
    options = [f"--env={name}={value}" for name, value in environment.items() if value is not None]
    command = service.get("command") or []
    try:
        run("docker", "run", "--rm", "--network", project.network, *options, service["image"], *command, seconds=60)
    except Failed as error:
        return error.said.splitlines()
    return []
