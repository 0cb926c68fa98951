"""Similar reviews are found with the prediction and stored with the result, which never fails because of them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from db import examples
from db.engine import Engine, transaction
from db.examples import NewExample
from db.models import Lane
from inference.embedder import Embedder
from tests.db import steps
from tests.embedders import small_embedder
from tests.fakes import expected_sentiment
from worker.context import WorkerContext
from worker.similar import cut

Run = Callable[[], None]
PIRATES = "pirates at sea"
EXAMPLES = {"a ship<br /><br />of pirates": "positive", "robots in space": "negative", "a wedding cake": "positive"}


@pytest.fixture
def embedder(tmp_path: Path) -> Embedder:
    return small_embedder(tmp_path)


@pytest.fixture
def stocked(context: WorkerContext, embedder: Embedder) -> WorkerContext:
    """A worker with an embedder, and a few examples."""
    context.embedder = embedder
    vectors = embedder.embed(list(EXAMPLES), embedder.one_hot(list(EXAMPLES.values())))
    new = [NewExample(*each, None, vector.tolist()) for each, vector in zip(EXAMPLES.items(), vectors, strict=True)]
    with transaction(context.engine) as connection:
        examples.add(connection, "ours", embedder.digest, new)
    return context


def submit(engine: Engine, *texts: str, similar_wanted: int = 2) -> Any:
    job_id = steps.submit(engine, texts=texts, lane=Lane.INTERACTIVE)
    steps.run(engine, "UPDATE jobs SET similar_wanted = :wanted WHERE id = :id", wanted=similar_wanted, id=job_id)
    return job_id


def shown(engine: Engine, job_id: Any) -> list[Any]:
    """Return status and similar reviews of each review."""
    query = "SELECT status, similar_reviews FROM reviews WHERE job_id = :id ORDER BY index"
    return [tuple(row) for row in steps.rows(engine, query, id=job_id)]


def test_a_result_has_the_nearest_examples_cleaned(stocked: WorkerContext, drain: Run) -> None:
    job_id = submit(stocked.engine, PIRATES)
    drain()
    [(status, similar)] = shown(stocked.engine, job_id)
    agreement = 0.2 * np.tanh(1) * (1 if expected_sentiment(PIRATES) == "positive" else -1)
    assert status == "succeeded"
    assert similar[0] == {
        "text": "a ship of pirates",
        "sentiment": "positive",
        "similarity": pytest.approx(0.8 + agreement, abs=2e-3),
    }
    assert len(similar) == 2


def test_every_review_of_a_job_shows_its_own(stocked: WorkerContext, drain: Run) -> None:
    job_id = submit(stocked.engine, PIRATES, "laser robots", similar_wanted=1)
    drain()
    texts = [similar[0]["text"] for _, similar in shown(stocked.engine, job_id)]
    assert texts == ["a ship of pirates", "robots in space"]


def test_a_job_that_wants_none_shows_none_and_asks_nothing(
    stocked: WorkerContext, drain: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(examples, "nearest")
    job_id = submit(stocked.engine, PIRATES, similar_wanted=0)
    drain()
    assert shown(stocked.engine, job_id) == [("succeeded", None)]


def test_without_an_embedder_or_examples_there_are_none(context: WorkerContext, embedder: Embedder, drain: Run) -> None:
    first = submit(context.engine, PIRATES)
    drain()
    context.embedder = embedder
    second = submit(context.engine, PIRATES)
    drain()
    assert shown(context.engine, first) + shown(context.engine, second) == [("succeeded", None)] * 2


def test_a_result_keeps_its_similar_reviews_when_the_examples_are_removed(stocked: WorkerContext, drain: Run) -> None:
    job_id = submit(stocked.engine, PIRATES)
    drain()
    before = shown(stocked.engine, job_id)
    with transaction(stocked.engine) as connection:
        examples.remove(connection, "ours")
    assert shown(stocked.engine, job_id) == before


@pytest.mark.parametrize("broken", ["embedder", "store"])
def test_a_failure_costs_the_similar_reviews_and_no_result(stocked: WorkerContext, drain: Run, broken: str) -> None:
    if broken == "embedder":
        stocked.embedder = replace(small(stocked), tokeniser=object())  # type: ignore[arg-type]
    else:
        steps.run(stocked.engine, "ALTER TABLE examples RENAME TO gone")
    job_id = submit(stocked.engine, PIRATES, "robots")
    drain()
    assert shown(stocked.engine, job_id) == [("succeeded", None)] * 2


def small(context: WorkerContext) -> Embedder:
    assert context.embedder
    return context.embedder


def test_a_long_text_is_cut_after_a_word() -> None:
    assert cut("word " * 100) == "word " * 100
    assert cut("word " * 101) == "word " * 98 + "word…"
    assert cut("字" * 501) == "字" * 499 + "…"
