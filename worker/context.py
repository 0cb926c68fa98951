"""What a worker's child process opens once and every drain uses: model, store, doorbell, notifier."""

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
    """One child process's things."""

    settings: WorkerSettings
    engine: Engine
    classifier: Classifier
    model_id: int
    name: str
    notify: Callable[[Iterable[UUID]], None]
    wake: Callable[[ModelLane], None]
    embedder: Embedder | None = None
    fingerprint: bytes | None = None  #: of the model, by which its predictions are kept; None keeps none
    seen_at: float = 0.0  #: when it last said that it is there, on the monotonic clock
    pace: Pace = field(default_factory=Pace)
    step: Callable[[], AbstractContextManager[None]] = nullcontext  #: around what may hang (monitoring.liveness)

    def report_alive(self, connection: Connection) -> None:
        """Record that this worker was woken and asks for work, once a second at most."""
        if time.monotonic() - self.seen_at > SEEN_SECONDS:
            registrations.worker_seen(connection, self.name, self.model_id, self.pace.tokens_per_second)
            self.seen_at = time.monotonic()

    def deregister(self) -> None:
        """Record that this worker ends, so that nobody counts on it; without a store it is forgotten in time."""
        try:
            with transaction(self.engine) as connection:
                registrations.worker_gone(connection, self.name)
        except DatabaseError as error:
            log.warning("farewell_failed", error=str(error))


def open_context(settings: WorkerSettings, database: DatabaseSettings, queue: QueueSettings) -> WorkerContext:
    """Load and check the model, make it known, connect; runs until the process ends.

    Raises:
        ModelError: the model directory cannot be served.
        DatabaseError: the store is out of reach.
    """
    directory, manifest = settings.model_directory(), served_manifest(settings)
    threads = settings.worker_threads or len(os.sched_getaffinity(0))
    classifier = load_classifier(directory, threads=threads, point=settings.operating_point, neutral=settings.neutral)
    engine = connect(database, "verdict-worker", plan_once=True)
    pool.show(engine)
    info = classifier.info
    point = _point(manifest, settings.operating_point)
    MODEL_INFO.labels(info.name, info.version, info.precision, info.backend, point).set(1)
    metrics = [each.model_dump() for each in manifest.metrics]
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
    # To be woken through the queue is what makes it count as live: it does not wait for the sweeper's next look.
    waker.wake(ModelLane(info.name, Lane.INTERACTIVE))
    kept = fingerprint(directory, point, neutral=settings.neutral) if settings.prediction_cache_rows else None
    return WorkerContext(settings, engine, classifier, model_id, name, notifier.notify, waker.wake, embedder, kept)


def _point(manifest: Manifest, chosen: str | None) -> str:
    """The operating point in use; a model of one stage has none."""
    return (chosen or manifest.cascade.default) if manifest.cascade else ""


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
