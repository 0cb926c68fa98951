"""A drain with a real PostgreSQL: every waiting review is classified once, despite any failure."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray

from db.engine import DatabaseError, DatabaseUnavailable, Engine, connect
from db.models import Lane, ModelLane
from inference.classifier import Encoded
from local import embedded
from settings import DatabaseSettings, WorkerSettings
from tests.conftest import WAIT_SECONDS, wait_until
from tests.db import steps
from tests.db.steps import submit
from tests.fakes import BULK, INTERACTIVE, LABELS, NOT_A_NUMBER, POISON, UNREADABLE, FakeClassifier, expected_sentiment
from worker import drain as drain_module
from worker import store
from worker.context import WorkerContext
from worker.drain import Drain
from worker.heartbeat import beat

Run = Callable[[], None]


class GatedClassifier(FakeClassifier):
    """Blocks in its first forward pass until the test sets `gate`; `seen` has the texts in order."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[list[str]] = []
        self.begun = threading.Event()
        self.gate = threading.Event()

    def forward(self, batch: Sequence[Encoded]) -> NDArray[np.float32]:
        self.seen.append([self._texts[each.ids] for each in batch])
        self.begun.set()
        assert self.gate.wait(WAIT_SECONDS)
        return super().forward(batch)


@pytest.fixture
def classifier() -> FakeClassifier:
    return GatedClassifier()


@pytest.fixture
def gated(classifier: GatedClassifier) -> GatedClassifier:
    """The fake model with a closed gate."""
    return classifier


@pytest.fixture
def opened(gated: GatedClassifier) -> GatedClassifier:
    """The fake model with an open gate."""
    gated.gate.set()
    return gated


@contextmanager
def predicting(run: Run, gated: GatedClassifier) -> "Iterator[Future[None]]":
    """Run a drain up to its first forward pass, and open the gate when the block ends."""
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(run)
        wait_until(lambda: gated.begun.is_set() or running.done())
        try:
            yield running
        finally:
            gated.gate.set()


def results(engine: Engine) -> list[Any]:
    return steps.rows(engine, "SELECT reviews.*, text FROM reviews JOIN job_rows ON review_id = id ORDER BY id")


def states(engine: Engine) -> list[str]:
    return [each.status for each in results(engine)]


@pytest.mark.usefixtures("opened")
def test_every_waiting_review_gets_the_prediction_of_the_model(engine: Engine, drain: Run) -> None:
    submit(engine, 100)
    submit(engine, 3, lane=Lane.INTERACTIVE)
    submit(engine, 20)
    drain()
    assert {each.status for each in results(engine)} == {"succeeded"}
    assert all(LABELS[each.label] == expected_sentiment(each.text) for each in results(engine))
    assert steps.rows(engine, "SELECT token FROM leases") == []


@pytest.mark.usefixtures("opened")
def test_a_drain_ends_when_nothing_waits_and_was_seen(engine: Engine, drain: Run) -> None:
    drain()
    assert steps.rows(engine, "SELECT FROM workers WHERE seen_at BETWEEN now() - interval '20 s' AND now()")


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("culprit", [POISON, UNREADABLE, NOT_A_NUMBER])
def test_a_culprit_without_neighbours_fails_in_the_same_drain(engine: Engine, drain: Run, culprit: str) -> None:
    submit(engine, texts=[culprit])
    drain()
    [review] = results(engine)
    assert (review.status, review.error_code, review.attempts) == ("failed", "exhausted", 3)


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("culprit", [POISON, UNREADABLE, NOT_A_NUMBER])
def test_the_neighbours_of_culprits_succeed(engine: Engine, drain: Run, culprit: str) -> None:
    submit(engine, texts=["a", culprit, "b", "c", f"{culprit} too", "d"])
    drain()
    assert states(engine) == ["succeeded", "failed", "succeeded", "succeeded", "failed", "succeeded"]


def test_reviews_are_predicted_in_batches_of_like_length(engine: Engine, drain: Run, opened: GatedClassifier) -> None:
    submit(engine, texts=[f"{number:02}{text}" for text in ("short", "long " * 60) for number in range(30)])
    drain()
    assert all(len({len(text) for text in batch}) == 1 for batch in opened.seen)
    assert len(opened.seen) <= 4


def test_an_interactive_review_overtakes_the_bulk_that_is_ready(
    engine: Engine, context: WorkerContext, gated: GatedClassifier
) -> None:
    context.settings = WorkerSettings(micro_batch_tokens=30)
    submit(engine, 30)
    with predicting(Drain(context).run, gated):
        submit(engine, texts=["urgent"], lane=Lane.INTERACTIVE)
        wait_until(lambda: "processing" in [each.status for each in results(engine) if each.text == "urgent"])
    assert len(gated.seen) > 5
    assert "urgent" in gated.seen[1] + gated.seen[2]


class SettlingClassifier(GatedClassifier):
    """A first stage settles texts that begin with "easy"; the gate blocks the others."""

    def tokenise(self, texts: Sequence[str]) -> list[Encoded]:
        encoded = super().tokenise(texts)
        pairs = zip(texts, encoded, strict=True)
        return [replace(each, ids=(), first=(0.0, 2.0)) if text.startswith("easy") else each for text, each in pairs]

    def forward(self, batch: Sequence[Encoded]) -> NDArray[np.float32]:
        if all(each.settled for each in batch):
            return np.array([each.first for each in batch], dtype=np.float32)
        return super().forward(batch)


def test_reviews_settled_by_the_first_stage_are_stored_during_a_forward_pass(
    engine: Engine, context: WorkerContext
) -> None:
    gated = SettlingClassifier()
    context.classifier = gated
    submit(engine, texts=["hard", "easy 1"])
    with predicting(Drain(context).run, gated):
        wait_until(lambda: sorted(states(engine)) == ["processing", "succeeded"])
        submit(engine, texts=["easy 2"])
        wait_until(lambda: sorted(states(engine)) == ["processing", "succeeded", "succeeded"])
    assert set(states(engine)) == {"succeeded"}
    assert [each.stage for each in results(engine) if each.text.startswith("easy")] == ["ngram", "ngram"]


def test_a_review_that_arrives_during_a_prediction_is_predicted_in_the_same_drain(
    engine: Engine, drain: Run, gated: GatedClassifier
) -> None:
    submit(engine)
    with predicting(drain, gated):
        submit(engine)
    assert states(engine) == ["succeeded", "succeeded"]


def test_the_next_batch_is_claimed_while_this_one_is_predicted(
    engine: Engine, drain: Run, gated: GatedClassifier
) -> None:
    submit(engine, 2 * WorkerSettings().claim_reviews)
    with predicting(drain, gated):
        wait_until(lambda: set(states(engine)) == {"processing"})


@pytest.mark.usefixtures("opened")
def test_two_concurrent_drains_predict_each_review_once(
    engine: Engine, context: WorkerContext, opened: GatedClassifier
) -> None:
    submit(engine, texts=[f"text {number}" for number in range(300)])
    other = replace(context, name="other")
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda each: Drain(each).run(), [context, other]))
    assert set(states(engine)) == {"succeeded"}
    assert set(Counter(text for batch in opened.seen for text in batch).values()) == {1}


def test_a_result_that_comes_too_late_changes_nothing(engine: Engine, drain: Run, gated: GatedClassifier) -> None:
    submit(engine)
    with predicting(drain, gated):
        steps.rows(engine, "UPDATE leases SET expires_at = now() - interval '1 s' RETURNING token")
        heir = steps.inherit(engine, worker="heir")
        steps.complete(engine, heir.token, 1, [steps.broken(heir.reviews[0])], last=True)
        before = results(engine)
    assert results(engine) == before


def test_a_review_that_is_cancelled_during_its_prediction_stays_cancelled(
    engine: Engine, drain: Run, gated: GatedClassifier
) -> None:
    job = submit(engine, 2)
    with predicting(drain, gated):
        steps.stop(engine, job)
    assert states(engine) == ["cancelled", "cancelled"]


def test_a_job_that_is_deleted_during_its_prediction_is_no_error(
    engine: Engine, drain: Run, gated: GatedClassifier
) -> None:
    job = submit(engine)
    kept = submit(engine)
    with predicting(drain, gated) as running:
        steps.rows(engine, "DELETE FROM jobs WHERE id = :job RETURNING id", job=job)
    assert running.exception() is None
    assert steps.one(engine, "jobs", kept).status == "succeeded"


@pytest.mark.usefixtures("opened")
def test_without_a_database_a_drain_raises(context: WorkerContext) -> None:
    gone = DatabaseSettings(database_url=f"postgresql://nobody@127.0.0.1:{embedded.free_port()}/nothing")
    context.engine = connect(gone, "test")
    with pytest.raises(DatabaseUnavailable):
        Drain(context).run()


def cut(engine: Engine, postgres: str, *, closed: bool = False) -> None:
    """Cut every connection to the test's database; `closed` lets no new one in."""
    name = engine.url.database
    with psycopg.connect(postgres, autocommit=True) as admin:
        if closed:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


def test_a_result_survives_a_cut_connection(engine: Engine, drain: Run, gated: GatedClassifier, postgres: str) -> None:
    submit(engine)
    with predicting(drain, gated) as running:
        cut(engine, postgres)
    with suppress(DatabaseError):  # the cut may have met a claim, which ends the drain
        running.result()
    engine.dispose()
    assert states(engine) == ["succeeded"]


def test_a_result_that_cannot_be_stored_comes_back_to_the_queue(
    engine: Engine, drain: Run, gated: GatedClassifier, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "STORE_TRIES", 1)
    submit(engine)
    with predicting(drain, gated) as running:
        cut(engine, postgres, closed=True)
    assert isinstance(running.exception(), DatabaseUnavailable)
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {engine.url.database} ALLOW_CONNECTIONS true")
    engine.dispose()
    steps.rows(engine, "UPDATE leases SET expires_at = now() - interval '1 s' RETURNING token")
    steps.sweep(engine)
    drain()
    assert states(engine) == ["succeeded"]


class ExitingClassifier(FakeClassifier):
    """Ends the process, as a signal in the forward pass would."""

    def forward(self, batch: Sequence[Encoded]) -> NDArray[np.float32]:
        raise SystemExit(len(batch))


def test_an_exit_in_the_forward_pass_ends_the_drain(engine: Engine, context: WorkerContext) -> None:
    submit(engine)
    context.classifier = ExitingClassifier()
    with pytest.raises(SystemExit):
        Drain(context).run()


@pytest.mark.usefixtures("opened")
def test_a_drain_whose_time_is_up_sends_wakeups_for_the_rest(
    engine: Engine, context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain_module, "DRAIN_SECONDS", 0)
    woken: list[ModelLane] = []
    context.wake = woken.append
    submit(engine)
    Drain(context).run()
    assert states(engine) == ["queued"]
    assert set(woken) == {INTERACTIVE, BULK}


class Once(threading.Event):
    """An event whose first wait times out: one heartbeat."""

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        was_set = self.is_set()
        self.set()
        return was_set


def test_a_heartbeat_extends_what_is_held(engine: Engine, context: WorkerContext) -> None:
    submit(engine, 2)
    held, other = steps.must_claim(engine, reviews=1), steps.must_claim(engine, reviews=1)
    context.settings = WorkerSettings(lease_seconds=3600, lease_cap_seconds=7200)
    beat(context, {held.token}, Once())
    left = {
        row.token: row.expires_at - row.started_at
        for row in steps.rows(engine, "SELECT token, expires_at, started_at FROM leases")
    }
    assert left[held.token].total_seconds() > 3000
    assert left[other.token] == steps.LEASE


def test_a_heartbeat_survives_without_a_database(context: WorkerContext) -> None:
    gone = DatabaseSettings(database_url=f"postgresql://nobody@127.0.0.1:{embedded.free_port()}/nothing")
    context.engine = connect(gone, "test")
    beat(context, set(), Once())
