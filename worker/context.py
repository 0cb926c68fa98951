"""The resources of a worker's child process, opened once and used by every drain: model, database, Redis."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import structlog

from broker.notifier import Notifier
from broker.wakeups import Waker
from db import pool, registrations
from db.engine import Connection, DatabaseError, Engine, connect, transaction
from db.models import Lane, ModelLane
from db.registrations import NewModel
from db.vectors import EMBEDDING_DIMENSIONS
from inference.classifier import Classifier
from inference.embedder import Embedder, load_embedder
from inference.loading import load_classifier
from inference.manifest import Manifest, ModelError
from monitoring.metrics import MODEL_INFO
from settings import DatabaseSettings, QueueSettings, WorkerSettings
from worker.pace import Pace
from worker.prediction_cache import fingerprint
from worker.samples import add_samples, embed_feedback
from worker.served import served_manifest

SEEN_SECONDS = 1

log = structlog.get_logger()


@dataclass(slots=True)
class WorkerContext:
    """The resources of one child process."""

    settings: WorkerSettings
    engine: Engine
    classifier: Classifier
    model_id: int
    name: str
    notify: Callable[[Iterable[UUID]], None]
    wake: Callable[[ModelLane], None]
    embedder: Embedder | None = None
    fingerprint: bytes | None = None  #: of the model, part of the cache key; None turns the cache off
    seen_at: float = 0.0  #: last update of its row in `workers`, on the monotonic clock
    pace: Pace = field(default_factory=Pace)
    step: Callable[[], AbstractContextManager[None]] = nullcontext  #: wraps a step that may hang (monitoring.liveness)

    def report_alive(self, connection: Connection) -> None:
        """Record that this worker was woken and asks for work, at most once a second."""
        if time.monotonic() - self.seen_at > SEEN_SECONDS:
            registrations.worker_seen(connection, self.name, self.model_id, self.pace.tokens_per_second)
            self.seen_at = time.monotonic()

    def deregister(self) -> None:
        """Delete the row of this worker; if the database cannot be reached, the row expires by itself."""
        try:
            with transaction(self.engine) as connection:
                registrations.worker_gone(connection, self.name)
        except DatabaseError as error:
            log.warning("deregister_failed", error=str(error))


def open_context(settings: WorkerSettings, database: DatabaseSettings, queue: QueueSettings) -> WorkerContext:
    """Load and check the model, register it, and connect; threads and connections live until the process ends.

    Raises:
        ModelError: the model directory cannot be served.
        DatabaseError: the database cannot be reached.
    """
    directory, manifest = settings.model_directory(), served_manifest(settings)
    threads = settings.worker_threads or len(os.sched_getaffinity(0))
    classifier = load_classifier(directory, threads=threads, point=settings.operating_point, neutral=settings.neutral)
    engine = connect(database, "verdict-worker", plan_once=True)
    pool.show(engine)
    info = classifier.info
    point = _point(manifest, settings.operating_point)
    MODEL_INFO.labels(info.name, info.version, info.precision, info.backend, point).set(1)
    metrics = [each.model_dump(exclude_none=True) for each in manifest.metrics]
    with transaction(engine) as connection:
        model_id = registrations.register_model(
            connection,
            NewModel(info.name, info.version, info.precision, info.backend, info.labels, info.max_tokens, metrics),
        )
    notifier = Notifier(queue)
    threading.Thread(target=notifier.run, name="notifier", daemon=True).start()
    waker = Waker(queue).__enter__()
    name = f"{socket.gethostname()}:{os.getppid()}"
    embedder = _open_embedder(directory)
    if embedder:
        add_samples(engine, embedder, directory.parent)
        embed_feedback(engine, embedder)
    # A worker counts as live once it is woken through the queue. This wake-up saves waiting for maintenance.
    waker.wake(ModelLane(info.name, Lane.INTERACTIVE))
    kept = fingerprint(directory, point, neutral=settings.neutral) if settings.prediction_cache_rows else None
    return WorkerContext(settings, engine, classifier, model_id, name, notifier.notify, waker.wake, embedder, kept)


def _point(manifest: Manifest, chosen: str | None) -> str:
    """Return the operating point in use; empty for a model of one stage."""
    return (chosen or manifest.cascade.default) if manifest.cascade else ""


def _open_embedder(directory: Path) -> Embedder | None:
    """Return the model's embedder; None if there is none that can be used, and then no similar reviews are shown."""
    try:
        embedder = load_embedder(directory)
    except ModelError as error:
        log.warning("embedder_unfit", error=str(error))
        return None
    if embedder and embedder.dimensions > EMBEDDING_DIMENSIONS:
        log.warning("embedder_unfit", dimensions=embedder.dimensions, most=EMBEDDING_DIMENSIONS)
        return None
    return embedder
