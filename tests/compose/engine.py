"""The container engine, and one compose project of this test's own, which leaves nothing behind.

Called by every step; every command is Docker's or Compose's own.
"""

import json
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from settings import ROOT

NAME = "verdict-compose-test"
TAG = "compose-test"
FILES = ("compose.yaml", "compose.test.yaml")
# What the engine's own programs need; settings of whoever runs the test must not reach the containers.
PASSED_ON = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY")
COMMAND_SECONDS = 300.0
POLL_SECONDS = 0.2

T = TypeVar("T")


class NoEngine(Exception):
    """There is nothing here that could run containers, or nowhere to get the images from: the test is skipped."""


class Failed(Exception):
    """A command failed, or something did not come true in time; `said` is what the command left as its last words."""

    def __init__(self, what: str, said: str = "") -> None:
        super().__init__(f"{what}: {said}" if said else what)
        self.said = said


def run(*command: str, env: Mapping[str, str] | None = None, seconds: float = COMMAND_SECONDS) -> str:
    """What a command prints.

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
    """`docker compose` or `docker-compose`, with an engine that answers.

    Raises:
        NoEngine: there is none.
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
    """What `condition` returns as soon as that is true.

    Raises:
        Failed: the time is up.
    """
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise Failed(f"not within {seconds:g} s: {what}")
        time.sleep(POLL_SECONDS)
    return value


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


class Project:
    """The services of compose.yaml under a name of their own; `env` is what a user would have in .env."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], empty_env_file: Path) -> None:
        self._command = command
        self.env = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | dict(env)
        self._empty = str(empty_env_file)

    def compose(self, *arguments: str, seconds: float = COMMAND_SECONDS, env: Mapping[str, str] | None = None) -> str:
        """Run a command of Compose on the project, with another environment than the project's if one is given."""
        return run(*self._on_this(), *arguments, env=env or self.env, seconds=seconds)

    def typed(self, lines: str, folder: Path) -> None:
        """Run lines of a document in a folder as they stand there, on this project."""
        compose = shlex.join(self._on_this())
        if self._command == ("docker-compose",):
            lines = lines.replace(" --wait", "")  # version 1 has no such option; whoever calls waits
        function = f'docker() {{ shift; (cd {shlex.quote(str(ROOT))} && {compose} "$@"); }}'
        run("bash", "-euc", f"{function}; cd {shlex.quote(str(folder))}; {lines}", env=self.env)

    def _on_this(self) -> list[str]:
        files = [part for file in FILES for part in ("-f", file)]
        return [*self._command, "-p", NAME, "--env-file", self._empty, *files]

    def config(self) -> dict[str, Any]:
        """The services as Compose understands them, without those that only a profile starts."""
        services: dict[str, Any] = yaml.safe_load(self.compose("config"))["services"]
        return {name: service for name, service in services.items() if not service.get("profiles")}

    def containers(self, service: str, *, stopped: bool = False) -> list[str]:
        """Ids of the containers of a service."""
        wanted = ["--filter", f"label=com.docker.compose.project={NAME}"]
        wanted += ["--filter", f"label=com.docker.compose.service={service}"]
        return run("docker", "ps", "--quiet", "--no-trunc", *(["--all"] if stopped else []), *wanted).split()

    def sql(self, query: str) -> list[str]:
        """The rows that PostgreSQL answers, cells parted by `|`."""
        (container,) = self.containers("postgres")
        answer = run(
            "docker", "exec", "--env=PGPASSWORD", container, "psql", "--host=127.0.0.1", "--username=verdict",
            "--dbname=verdict", "--no-align", "--tuples-only", "--command", query,
            env=self.env | {"PGPASSWORD": self.env["POSTGRES_PASSWORD"]}, seconds=30,
        )  # fmt: skip
        return answer.splitlines()

    @property
    def network(self) -> str:
        """On which the store and the doorbell are."""
        return f"{NAME}_back"

    def logs(self, service: str, lines: int = 20) -> str:
        """What a service said last."""
        return self.compose("logs", "--no-color", f"--tail={lines}", service)

    def remove(self) -> None:
        """Remove containers, networks and volumes, whatever an earlier run left included."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", seconds=120)

    def remove_images(self) -> None:
        """Remove the images that the test built."""
        for name in ("verdict-api", "verdict-worker"):
            if run("docker", "image", "ls", "--quiet", f"{name}:{TAG}").strip():
                run("docker", "image", "rm", f"{name}:{TAG}")


def inspect(container: str) -> dict[str, Any]:
    """What the engine knows of a container."""
    (found,) = json.loads(run("docker", "inspect", container))
    return dict(found)


def image_bytes(image: str) -> int:
    """How big an image is, uncompressed."""
    return int(run("docker", "image", "inspect", "--format", "{{.Size}}", image))


def is_placeholder(image: str) -> bool:
    """Whether an image only sleeps: it stands for one that cannot be had here."""
    (found,) = json.loads(run("docker", "image", "inspect", image))
    return "sleep infinity" in json.dumps(found["Config"].get("Entrypoint") or [])


def fetch(image: str) -> None:
    """Have an image at hand.

    Raises:
        NoEngine: no registry can be reached; one that is reached and does not know the image is a failure of ours.
    """
    if run("docker", "image", "ls", "--quiet", image).strip():
        return
    try:
        run("docker", "pull", "--quiet", image)
    except Failed as error:
        if any(word in str(error) for word in ("manifest unknown", "not found: manifest", "repository does not exist")):
            raise
        raise NoEngine(f"the image {image} is not here and cannot be pulled") from error
