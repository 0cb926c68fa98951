"""Commands of Docker and Compose, and the compose project of the test."""

import json
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from benchmarks.common import waiting
from settings import ROOT

NAME = "verdict-compose-test"
TAG = "compose-test"
FILES = ("compose.yaml", "compose.test.yaml")
# Variables for Docker itself; other settings of the shell must not reach the containers.
PASSED_ON = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY")
COMMAND_SECONDS = 300.0
POLL_SECONDS = 0.2

T = TypeVar("T")


class NoEngine(Exception):
    """No container engine or no registry is reachable; the test is skipped."""


class Failed(Exception):
    """A command failed, or a condition was not met in time; `said` has the last lines of the command."""

    def __init__(self, what: str, said: str = "") -> None:
        super().__init__(f"{what}: {said}" if said else what)
        self.said = said


def run(*command: str, env: Mapping[str, str] | None = None, seconds: float = COMMAND_SECONDS) -> str:
    """Run a command and return its output.

    Raises:
        Failed: its exit code is not 0, or it takes too long.
    """
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{' '.join(command[:6])} … took longer than {seconds:.0f} s") from error
    except OSError as error:
        raise Failed(f"{command[0]} cannot be run: {error}") from error
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()[-15:]
        raise Failed(f"`{' '.join(command)}` exited with {done.returncode}", "\n".join(said))
    return done.stdout


def compose_command() -> tuple[str, ...]:
    """Return `docker compose` or `docker-compose`, if an engine answers.

    Raises:
        NoEngine: no engine answers.
    """
    if not shutil.which("docker"):
        raise NoEngine("there is no `docker` command")
    try:
        run("docker", "version", "--format", "{{.Server.Version}}", seconds=20)
    except Failed as error:
        raise NoEngine(f"no container engine answers ({str(error).splitlines()[-1]})") from error
    for command in (("docker", "compose"), ("docker-compose",)):
        try:
            run(*command, "version", seconds=20)
        except Failed:
            continue
        return command
    raise NoEngine("there is neither `docker compose` nor `docker-compose`")


def wait_until(condition: Callable[[], T], what: str, seconds: float = 60.0) -> T:
    """Return the value of `condition` as soon as it is true.

    Raises:
        Failed: it was not true within the time.
    """
    try:
        return waiting.wait_until(condition, what, seconds, POLL_SECONDS)
    except waiting.NotInTime as error:
        raise Failed(str(error)) from error


def free_ports(count: int) -> list[int]:
    """Return free ports."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


class Project:
    """The services of compose.yaml under the name of the test; `env` takes the place of .env."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], empty_env_file: Path) -> None:
        self._command = command
        self.env = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | dict(env)
        self._empty = str(empty_env_file)

    def compose(self, *arguments: str, seconds: float = COMMAND_SECONDS, env: Mapping[str, str] | None = None) -> str:
        """Run a command of Compose on the project, in the environment `env` if it is given."""
        return run(*self._on_this(), *arguments, env=env or self.env, seconds=seconds)

    def typed(self, lines: str, folder: Path) -> None:
        """Run lines of a document unchanged in a folder, on this project."""
        compose = shlex.join(self._on_this())
        if self._command == ("docker-compose",):
            lines = lines.replace(" --wait", "")  # version 1 lacks the option; the caller waits
        function = f'docker() {{ shift; (cd {shlex.quote(str(ROOT))} && {compose} "$@"); }}'
        run("bash", "-euc", f"{function}; cd {shlex.quote(str(folder))}; {lines}", env=self.env)

    def _on_this(self) -> list[str]:
        files = [part for file in FILES for part in ("-f", file)]
        return [*self._command, "-p", NAME, "--env-file", self._empty, *files]

    def config(self) -> dict[str, Any]:
        """Return the services as Compose reads them, without those of profiles."""
        services: dict[str, Any] = yaml.safe_load(self.compose("config"))["services"]
        return {name: service for name, service in services.items() if not service.get("profiles")}

    def containers(self, service: str, *, stopped: bool = False) -> list[str]:
        """Return the ids of the containers of a service."""
        wanted = ["--filter", f"label=com.docker.compose.project={NAME}"]
        wanted += ["--filter", f"label=com.docker.compose.service={service}"]
        return run("docker", "ps", "--quiet", "--no-trunc", *(["--all"] if stopped else []), *wanted).split()

    def sql(self, query: str) -> list[str]:
        """Run a query and return its rows, cells separated by `|`."""
        (container,) = self.containers("postgres")
        answer = run(
            "docker", "exec", "--env=PGPASSWORD", container, "psql", "--host=127.0.0.1", "--username=verdict",
            "--dbname=verdict", "--no-align", "--tuples-only", "--command", query,
            env=self.env | {"PGPASSWORD": self.env["POSTGRES_PASSWORD"]}, seconds=30,
        )  # fmt: skip
        return answer.splitlines()

    @property
    def network(self) -> str:
        """The network of PostgreSQL and Valkey."""
        return f"{NAME}_back"

    def logs(self, service: str, lines: int = 20) -> str:
        """Return the last log lines of a service."""
        return self.compose("logs", "--no-color", f"--tail={lines}", service)

    def remove(self) -> None:
        """Remove containers, networks and volumes, also those of an earlier run."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", seconds=120)

    def remove_images(self) -> None:
        """Remove the images built by the test."""
        for name in ("verdict-api", "verdict-worker"):
            if run("docker", "image", "ls", "--quiet", f"{name}:{TAG}").strip():
                run("docker", "image", "rm", f"{name}:{TAG}")


def inspect(container: str) -> dict[str, Any]:
    """Return the description of a container."""
    (found,) = json.loads(run("docker", "inspect", container))
    return dict(found)


def image_bytes(image: str) -> int:
    """Return the size of an image in bytes, uncompressed."""
    return int(run("docker", "image", "inspect", "--format", "{{.Size}}", image))


def is_placeholder(image: str) -> bool:
    """Return whether an image only sleeps, as a placeholder for one that is not available."""
    (found,) = json.loads(run("docker", "image", "inspect", image))
    return "sleep infinity" in json.dumps(found["Config"].get("Entrypoint") or [])


def fetch(image: str) -> None:
    """Pull an image unless it is present.

    Raises:
        NoEngine: no registry can be reached; if it lacks the image, the test fails.
    """
    if run("docker", "image", "ls", "--quiet", image).strip():
        return
    try:
        run("docker", "pull", "--quiet", image)
    except Failed as error:
        if any(word in str(error) for word in ("manifest unknown", "not found: manifest", "repository does not exist")):
            raise
        raise NoEngine(f"the image {image} is not here and cannot be pulled") from error
