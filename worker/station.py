"""What a worker's child process opens once and every drain uses: model, store, doorbell, notifier."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import structlog

from db import registrations
from db.engine import Connection, Engine, connect, transaction
from db.models import Lane
from db.registrations import NewModel
from db.vectors import EMBEDDING_DIMENSIONS
from settings import DatabaseSettings, QueueSettings, WorkerSettings
from worker.classifier import Classifier
from worker.embedding import Embedder, load_embedder
from worker.notify import Notifier
from worker.queue import Doorbell
from worker.registry import ModelError, load_classifier, load_manifest
from worker.samples import add_samples

SEEN_SECONDS = 1

log = structlog.get_logger()


@dataclass(slots=True)
class Station:
    """One child process's things."""

    settings: WorkerSettings
    engine: Engine
    classifier: Classifier
    model_id: int
    name: str
    notify: Callable[[Iterable[UUID]], None]
    ring: Callable[[Lane], None]
    embedder: Embedder | None = None
    seen_at: float = 0.0  #: when it last said that it is there, on the monotonic clock

    def say_seen(self, connection: Connection) -> None:
        """Record that this worker was woken and asks for work, once a second at most."""
        if time.monotonic() - self.seen_at > SEEN_SECONDS:
            registrations.worker_seen(connection, self.name, self.model_id)
            self.seen_at = time.monotonic()


def open_station(settings: WorkerSettings, database: DatabaseSettings, queue: QueueSettings) -> Station:
    """Load and check the model, make it known, connect; runs until the process ends.

    Raises:
        ModelError: the model directory cannot be served.
        DatabaseError: the store is out of reach.
    """
    directory = settings.model_directory()
    threads = settings.worker_threads or len(os.sched_getaffinity(0))
    classifier = load_classifier(directory, threads=threads, point=settings.operating_point)
    engine = connect(database, "verdict-worker")
    info = classifier.info
    metrics = [each.model_dump() for each in load_manifest(directory).metrics]
    with transaction(engine) as connection:
        model_id = registrations.register_model(
            connection,
            NewModel(info.name, info.version, info.precision, info.backend, info.labels, info.max_tokens, metrics),
        )
    notifier = Notifier(queue)
    threading.Thread(target=notifier.run, name="notifier", daemon=True).start()
    doorbell = Doorbell(queue).__enter__()
    name = f"{socket.gethostname()}:{os.getppid()}"
    embedder = _open_embedder(directory)
    if embedder:
        add_samples(engine, embedder, directory.parent)
    return Station(settings, engine, classifier, model_id, name, notifier.notify, doorbell.ring, embedder)


def _open_embedder(directory: Path) -> Embedder | None:
    """The model's embedder, if it has one that fits: without it no similar reviews are shown, and all else goes on."""
    try:
        embedder = load_embedder(directory)
    except ModelError as error:
        log.warning("embedder_unfit", error=str(error))
        return None
    if embedder and embedder.dimensions > EMBEDDING_DIMENSIONS:
        log.warning("embedder_unfit", dimensions=embedder.dimensions, most=EMBEDDING_DIMENSIONS)
        return None
    return embedder
