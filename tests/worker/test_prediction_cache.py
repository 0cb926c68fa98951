"""The prediction cache: a model predicts each text once, and later results are marked as cached."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

from db import prediction_cache
from db.engine import Engine, transaction
from db.models import Lane
from maintenance.retention import forget
from settings import MaintenanceSettings
from tests.api import steps as calls
from tests.db import steps
from tests.db.steps import rows, run
from tests.embedders import small_embedder
from tests.fakes import FOREIGN, NOT_A_NUMBER, FakeClassifier
from tests.servers import shipped_stack
from worker.context import WorkerContext
from worker.prediction_cache import fingerprint

Run = Callable[[], None]
TEXT = "a film about a secret of mine"
JUDGED = "SELECT status, label, probabilities, stage, tokens, truncated, model_id FROM reviews ORDER BY id"


@pytest.fixture
def keeping(context: WorkerContext) -> WorkerContext:
    """A worker that caches its predictions."""
    context.fingerprint = b"model 1 fast"
    return context


def hits() -> float:
    return REGISTRY.get_sample_value("verdict_cache_hits_total", {"kind": "prediction"}) or 0


def submit(engine: Engine, *texts: str) -> Any:
    return steps.submit(engine, texts=texts, lane=Lane.INTERACTIVE)


def cached(engine: Engine) -> list[bool]:
    return [row.cached for row in rows(engine, "SELECT cached FROM reviews ORDER BY id")]


def test_the_same_text_is_inferred_once(keeping: WorkerContext, classifier: FakeClassifier, drain: Run) -> None:
    before = hits()
    for _ in range(3):
        submit(keeping.engine, TEXT)
        drain()
    assert classifier.batches == [1]
    assert cached(keeping.engine) == [False, True, True]
    first, *others = rows(keeping.engine, JUDGED)
    assert first.status == "succeeded"
    assert others == [first, first]
    assert hits() == before + 2
    assert [row.status for row in rows(keeping.engine, "SELECT status FROM jobs")] == ["succeeded"] * 3
    assert rows(keeping.engine, "SELECT * FROM leases") == []


def test_a_warning_is_stored_with_the_result_and_kept_with_the_prediction(keeping: WorkerContext, drain: Run) -> None:
    for _ in range(2):
        submit(keeping.engine, f"{FOREIGN} und kalt")
        drain()
    submit(keeping.engine, TEXT)
    drain()
    found = [
        (row.cached, row.warnings) for row in rows(keeping.engine, "SELECT cached, warnings FROM reviews ORDER BY id")
    ]
    assert found == [(False, ["language"]), (True, ["language"]), (False, [])]


def test_known_and_new_texts_of_a_job_are_all_answered(
    keeping: WorkerContext, classifier: FakeClassifier, drain: Run
) -> None:
    submit(keeping.engine, *(f"film {number}" for number in range(10)))
    drain()
    job_id = submit(keeping.engine, *(f"film {number}" for number in range(5, 20)))
    drain()
    assert sum(classifier.batches) == 20
    job = steps.one(keeping.engine, "jobs", job_id)
    assert (job.status, job.succeeded, job.processing) == ("succeeded", 15, 0)
    assert cached(keeping.engine) == [False] * 10 + [True] * 5 + [False] * 10


@pytest.mark.parametrize("other", [b"model 2 fast", b"model 1 full", None])
def test_another_model_or_operating_point_does_not_use_the_cache(
    keeping: WorkerContext, classifier: FakeClassifier, drain: Run, other: bytes | None
) -> None:
    submit(keeping.engine, TEXT)
    drain()
    keeping.fingerprint = other
    submit(keeping.engine, TEXT)
    drain()
    assert classifier.batches == [1, 1]
    assert cached(keeping.engine) == [False, False]


def test_a_worker_without_a_fingerprint_caches_nothing(context: WorkerContext, drain: Run) -> None:
    submit(context.engine, TEXT)
    drain()
    assert rows(context.engine, "SELECT * FROM prediction_cache") == []


def test_fingerprints_of_other_points_and_changed_models_differ(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"version": "1"}')
    found = {fingerprint(tmp_path, point, neutral=False) for point in ("", "fast", "full")}
    (tmp_path / "manifest.json").write_text('{"version": "1", "created": "again"}')
    assert len(found | {fingerprint(tmp_path, "fast", neutral=False)}) == 4


def test_a_failure_is_not_kept(keeping: WorkerContext, drain: Run) -> None:
    submit(keeping.engine, NOT_A_NUMBER, TEXT)
    drain()
    assert len(rows(keeping.engine, "SELECT * FROM prediction_cache")) == 1


def test_no_text_is_kept(keeping: WorkerContext, drain: Run) -> None:
    submit(keeping.engine, TEXT)
    drain()
    run(keeping.engine, "DELETE FROM jobs")
    [kept] = rows(keeping.engine, "SELECT * FROM prediction_cache")
    assert len(kept.key) == 32
    assert "secret" not in str(kept._asdict())


def test_a_known_text_shows_similar_reviews_of_today(keeping: WorkerContext, drain: Run, tmp_path: Path) -> None:
    keeping.embedder = embedder = small_embedder(tmp_path)
    submit(keeping.engine, "pirates at sea")
    drain()
    [vector] = embedder.embed_labelled(["pirates"], ["positive"])
    run(
        keeping.engine,
        "INSERT INTO examples (dataset, text, text_sha256, label, embedder, embedding)"
        " VALUES ('mine', 'a ship of pirates', 'x', 'positive', :digest, CAST(:vector AS halfvec))",
        digest=embedder.digest,
        vector=str([*map(float, vector), *[0.0] * (128 - len(vector))]),
    )
    job_id = submit(keeping.engine, "pirates at sea")
    run(keeping.engine, "UPDATE jobs SET similar_wanted = 1")
    drain()
    query = "SELECT cached, similar_reviews FROM reviews WHERE job_id = :id"
    [found] = rows(keeping.engine, query, id=job_id)
    assert found.cached
    assert [each["text"] for each in found.similar_reviews] == ["a ship of pirates"]


def test_cached_predictions_do_not_change_the_pace(
    keeping: WorkerContext, drain: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(keeping.engine, TEXT)
    drain()
    counted: list[Any] = []
    monkeypatch.setattr(keeping.pace, "predicted", lambda *predicted: counted.append(predicted))
    submit(keeping.engine, TEXT)
    drain()
    assert counted == []
    assert cached(keeping.engine) == [False, True]


@pytest.mark.usefixtures("worker")
def test_a_cached_result_is_marked(client: httpx.Client, keeping: WorkerContext) -> None:
    assert keeping.fingerprint
    first, second = (calls.post(client, TEXT)["results"][0] for _ in range(2))
    assert (first["cached"], second["cached"]) == (False, True)
    assert second["timings_ms"]["inference"] == 0
    same = {"sentiment", "confidence", "probabilities", "model", "tokens", "truncated", "status"}
    assert {name: first[name] for name in same} == {name: second[name] for name in same}
    job = calls.submit(client, calls.as_csv([["text"], [TEXT]]))
    [line] = calls.rows_of(calls.get(client, job, "csv").content)[1:]
    assert line[1] == first["sentiment"]


def fill(engine: Engine, count: int) -> None:
    """Add cached predictions, each a day older than the one before."""
    run(
        engine,
        "INSERT INTO prediction_cache (key, probabilities, stage, tokens, label, truncated, warnings, created_at)"
        " SELECT int4send(n), '{0.5,0.5}', 'fake', 1, 0, false, '{}', now() - make_interval(days => n, secs => 1)"
        " FROM generate_series(0, :count - 1) AS n",
        count=count,
    )


@pytest.mark.parametrize(
    ("kept", "days", "left"), [(10, 30, 10), (100, 5, 5), (0, 30, 0), (40, 365, 40), (41, 365, 40), (39, 365, 39)]
)
def test_the_oldest_go_beyond_the_limits(engine: Engine, kept: int, days: int, left: int) -> None:
    fill(engine, 40)
    forget(engine, MaintenanceSettings(prediction_cache_rows=kept, prediction_cache_days=days))
    found = rows(engine, "SELECT key FROM prediction_cache ORDER BY created_at DESC")
    assert [int.from_bytes(row.key) for row in found] == list(range(left))


def test_many_go_in_steps(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_cache, "BATCH", 3)
    fill(engine, 10)
    with transaction(engine) as connection:
        assert prediction_cache.prune(connection, 0, timedelta(days=30))
    assert len(rows(engine, "SELECT FROM prediction_cache")) == 7
    forget(engine, MaintenanceSettings(prediction_cache_rows=0))
    assert rows(engine, "SELECT FROM prediction_cache") == []


def test_a_whole_service_caches_predictions() -> None:
    body = {"reviews": [{"text": "A warm, funny and beautifully acted film about a fox."}]}
    with (
        shipped_stack({"PREDICTION_CACHE_ROWS": "10"}) as stack,
        httpx.Client(base_url=stack.url, timeout=60) as caller,
    ):
        answers = [caller.post("/v1/jobs", json=body, headers={"prefer": "wait=20"}).json() for _ in range(2)]
    first, second = (answer["results"][0] for answer in answers)
    assert (first["cached"], second["cached"]) == (False, True)
    assert first["probabilities"] == second["probabilities"]
    assert len(first["similar_reviews"]) == len(second["similar_reviews"]) == 3
