"""A worker process with the fake model: `python -m tests.monitoring.fake_worker <file>`.

The model is loaded once the file exists. The process serves its metrics and drains as worker.tasks does, but polls
instead of waiting for wake-ups.
"""

import signal
import sys
import threading
from pathlib import Path

from broker.notifier import Notifier
from db.engine import DatabaseError, connect, transaction
from monitoring import exporter, registries
from monitoring.logs import configure_logs
from monitoring.metrics import WORKER_READY
from settings import DatabaseSettings, MetricsSettings, QueueSettings, WorkerSettings
from tests.conftest import register_fake
from tests.fakes import FakeClassifier
from worker.context import WorkerContext
from worker.drain import Drain
from worker.pace import Pace
from worker.store import show_zeros

POLL_SECONDS = 0.02


def main(model: Path) -> None:
    """Work until a signal."""
    configure_logs("worker")
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    WORKER_READY.set(0)
    # Before the model is loaded, so that the backlog is a rise: the fake classifies all of it between two scrapes.
    show_zeros(FakeClassifier().info.name)
    exporter.serve(MetricsSettings(), registries.registry(registries.WORKER))
    while not model.exists():
        if stopping.wait(POLL_SECONDS):
            return
    context = _context(Notifier(QueueSettings()))
    WORKER_READY.set(1)
    while not stopping.wait(POLL_SECONDS):
        try:
            with transaction(context.engine) as connection:
                context.report_alive(connection)
            Drain(context).run()
        except DatabaseError:
            continue
    context.deregister()


def _context(notifier: Notifier) -> WorkerContext:
    threading.Thread(target=notifier.run, daemon=True).start()
    engine = connect(DatabaseSettings(), "test")
    with transaction(engine) as connection:
        model_id = register_fake(connection)
    pace = Pace(10_000)  # tokens per second
    return WorkerContext(
        WorkerSettings(), engine, FakeClassifier(), model_id, "fake", notifier.notify, lambda _: None, pace=pace
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
