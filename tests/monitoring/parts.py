"""A service whose processes a test stops and starts: PostgreSQL, API and a worker with the fake model."""

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from signal import Signals

from db.migrate import upgrade
from local import embedded
from local.supervisor import Command, spawn
from settings import ROOT, DatabaseSettings
from tests.monitoring.server import targets_file
from tests.servers import running


class Parts:
    """The processes by name, each with a fixed port; `close` stops all."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self._folder = folder
        self._model = folder / "model"
        self._store = embedded.postgres(folder / "postgres", embedded.free_port(), "test", durable=False)
        self._open_store = ExitStack()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        ports = {"api": embedded.free_port(), "worker": embedded.free_port()}
        self.url = f"http://{embedded.LOOPBACK}:{ports['api']}"
        addresses = {name: f"{embedded.LOOPBACK}:{port}" for name, port in ports.items()}
        self.targets = targets_file(folder / "prometheus.json", addresses)
        common = {"DATABASE_URL": self._store.url, "REDIS_URL": redis_url, "HOST": embedded.LOOPBACK}
        self._env = {
            # Jobs are accepted without a worker, so that some wait too long.
            "api": common
            | {"PORT": str(ports["api"]), "DATABASE_TIMEOUT_SECONDS": "1", "ACCEPT_WITHOUT_WORKER": "true"},
            "worker": common | {"METRICS_PORT": str(ports["worker"])},
        }

    def start_everything(self) -> None:
        """Start PostgreSQL with the newest schema, then the others."""
        self._model.touch()
        self.start_store()
        upgrade(DatabaseSettings(database_url=self._store.url))
        self.start("worker")
        self.start("api")

    def start_store(self) -> None:
        """Start PostgreSQL with its data."""
        self._open_store.enter_context(running(self._store, self._folder / "postgres.log"))

    def stop_store(self) -> None:
        """Stop PostgreSQL, as its administrator would."""
        self._open_store.close()

    def take_model(self) -> None:
        """Remove the model, so that a new worker waits for it."""
        self._model.unlink()

    def give_model(self) -> None:
        """Provide the model."""
        self._model.touch()

    def start(self, name: str) -> None:
        """Start the API or the worker."""
        module = {"api": ("api.main",), "worker": ("tests.monitoring.fake_worker", str(self._model))}[name]
        command = Command(name, (sys.executable, "-m", *module), 0, self._environment(name), ROOT)
        self._processes[name] = spawn(command, self._folder / f"{name}.log")

    def _environment(self, name: str) -> Mapping[str, str]:
        return os.environ | self._env[name]

    def stop(self, name: str) -> None:
        """Stop the API or the worker, as a deployment would."""
        process = self._processes.pop(name)
        process.send_signal(Signals.SIGTERM)
        process.wait(30)

    def close(self) -> None:
        """Stop all processes."""
        for name in list(self._processes):
            self.stop(name)
        self.stop_store()
