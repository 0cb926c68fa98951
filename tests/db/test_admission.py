"""Admission: the work ahead of a new job, and jobs that are refused because of it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeAlias
from uuid import UUID

import pytest

from db import admission, submissions, uploads
from db.admission import Ahead, LaneFull
from db.engine import Engine, reading, transaction
from db.models import Lane, ModelLane
from db.submissions import NewJob, NewReview
from db.uploads import NewUpload
from files.row import Row, text_error
from tests.conftest import register_fake
from tests.db import steps
from tests.fakes import BULK, INTERACTIVE, MODEL

Add: TypeAlias = Callable[[Engine, NewJob, str, float], UUID]


def ahead(engine: Engine, lane: Lane = Lane.BULK) -> Ahead:
    with reading(engine) as connection:
        return admission.ahead(connection, ModelLane(MODEL, lane))


def within(_: ModelLane) -> float:
    """Return the seconds of work that may be ahead of a file."""
    return 0.5


def add_worker(engine: Engine, model_id: int, pace: float | None, *, seen: timedelta = timedelta()) -> None:
    statement = (
        "INSERT INTO workers (name, model_id, tokens_per_second, seen_at) VALUES (:name, :id, :pace, now() - :seen)"
    )
    steps.run(engine, statement, name=f"{pace} {seen}", id=model_id, pace=pace, seen=seen)


def job(lane: Lane = Lane.BULK, *, tokens: int = steps.TOKENS) -> NewJob:
    return NewJob(lane, {}, None, [NewReview("a fine film", None, tokens)])


def submit(engine: Engine, within: float, lane: Lane = Lane.BULK) -> bool:
    """Return whether the job was admitted."""
    try:
        return bool(submissions.add_in_one_trip(engine, job(lane), MODEL, within))
    except LaneFull:
        return False


def test_no_work_is_ahead_of_the_first_job_and_without_workers_there_is_no_pace(engine: Engine) -> None:
    assert ahead(engine) == Ahead(0, None)
    assert ahead(engine).seconds == 0


def test_the_pace_is_that_of_all_live_workers(engine: Engine, model_id: int) -> None:
    add_worker(engine, model_id, 100)
    add_worker(engine, model_id, 50)
    add_worker(engine, model_id, None)
    add_worker(engine, model_id, 1000, seen=timedelta(minutes=1))
    steps.submit(engine, 3)
    assert ahead(engine) == Ahead(3 * steps.TOKENS, 150)
    assert ahead(engine).seconds == pytest.approx(0.2)


def test_claimed_work_is_still_ahead_of_a_new_job(engine: Engine) -> None:
    steps.submit(engine, 5)
    steps.must_claim(engine, reviews=2)
    assert ahead(engine).tokens == 5 * steps.TOKENS
    steps.must_claim(engine)
    assert ahead(engine).tokens == 5 * steps.TOKENS


def test_completed_work_is_not_ahead_of_a_new_job(engine: Engine, model_id: int) -> None:
    steps.submit(engine, 5)
    steps.complete_all(engine, steps.must_claim(engine, reviews=2), model_id)
    assert ahead(engine).tokens == 3 * steps.TOKENS


def test_interactive_work_is_ahead_of_bulk_but_not_bulk_ahead_of_interactive(engine: Engine) -> None:
    steps.submit(engine, 1, lane=Lane.INTERACTIVE)
    steps.submit(engine, 2, lane=Lane.BULK)
    steps.must_claim(engine, lane=Lane.BULK, reviews=1)
    assert ahead(engine, Lane.INTERACTIVE).tokens == steps.TOKENS
    assert ahead(engine, Lane.BULK).tokens == 3 * steps.TOKENS


def test_work_and_workers_of_another_model_do_not_count(engine: Engine, model_id: int) -> None:
    with transaction(engine) as connection:
        other = register_fake(connection, "other")
    add_worker(engine, model_id, 100)
    add_worker(engine, other, 7)
    for lane in Lane:
        steps.submit(engine, 5, lane=lane, model="other")
        steps.submit(engine, 2, lane=lane)
        steps.must_claim(engine, lane=lane, reviews=1)
    assert ahead(engine, Lane.INTERACTIVE) == Ahead(2 * steps.TOKENS, 100)
    assert ahead(engine, Lane.BULK) == Ahead(4 * steps.TOKENS, 100)
    with reading(engine) as connection:
        found = [admission.ahead(connection, ModelLane("other", lane)) for lane in Lane]
    assert found == [Ahead(5 * steps.TOKENS, 7), Ahead(10 * steps.TOKENS, 7)]


def test_a_submission_waits_for_no_submission_to_another_model(engine: Engine) -> None:
    with transaction(engine) as slow:
        submissions.add(slow, job(), "other", 1.0)
        assert submit(engine, within=1.0)  # it would wait for the other transaction if both used one lock


def test_copies_paused_jobs_and_overdue_jobs_do_not_count(engine: Engine) -> None:
    steps.submit(engine, texts=["twice", "twice", "once"])
    assert ahead(engine).tokens == 2 * steps.TOKENS
    steps.submit(engine, 4, deadline=timedelta(seconds=-1))
    steps.pause(engine, steps.submit(engine, 4))
    assert ahead(engine).tokens == 2 * steps.TOKENS


def test_a_file_counts_by_its_distinct_usable_texts(engine: Engine) -> None:
    texts = ["x" * 45, "x" * 45, "y" * 90, ""]
    file = [Row(place, place + 1, each, None, None, [], text_error(each, 100)) for place, each in enumerate(texts)]
    with transaction(engine) as connection:
        upload = NewUpload(None, None, labelling=None, interactive_max_reviews=16)
        added = uploads.add(connection, upload, MODEL, file)
    assert (added.queue, added.rows, added.reviews, added.refused) == (INTERACTIVE, 4, 2, {"empty_text": 1})
    [job] = steps.rows(engine, "SELECT tokens_estimate FROM jobs")
    assert job.tokens_estimate == 12 + 22


def test_a_file_is_admitted_like_any_job(engine: Engine, model_id: int) -> None:
    add_worker(engine, model_id, 1)
    upload = NewUpload(None, None, labelling=None, interactive_max_reviews=1)
    file = [Row(0, 1, "fine", None, None, [], None), Row(1, 2, "dull", None, None, [], None)]
    with transaction(engine) as connection:
        assert uploads.add(connection, upload, MODEL, file, within).queue == BULK
    with pytest.raises(LaneFull), transaction(engine) as connection:
        uploads.add(connection, upload, MODEL, file, within)
    with transaction(engine) as connection:
        assert uploads.add(connection, upload, MODEL, file[:1], within).queue == INTERACTIVE
    assert len(steps.rows(engine, "SELECT FROM job_rows")) == 3


def test_an_idle_lane_admits_any_job_and_a_full_one_none(engine: Engine, model_id: int) -> None:
    add_worker(engine, model_id, 1)
    assert submit(engine, within=0.001)
    assert not submit(engine, within=0.001)
    assert submit(engine, within=0.001, lane=Lane.INTERACTIVE)
    assert len(steps.rows(engine, "SELECT FROM jobs")) == 2
    assert len(steps.rows(engine, "SELECT FROM reviews")) == 2
    assert len(steps.rows(engine, "SELECT FROM job_rows")) == 2


def test_a_refusal_names_the_work_ahead(engine: Engine, model_id: int) -> None:
    add_worker(engine, model_id, 4)
    steps.submit(engine)
    with pytest.raises(LaneFull) as refused:
        submissions.add_in_one_trip(engine, job(), MODEL, 1.0)
    assert refused.value.queue == BULK
    assert refused.value.ahead == Ahead(steps.TOKENS, 4)


def test_without_a_pace_every_job_is_admitted(engine: Engine, model_id: int) -> None:
    add_worker(engine, model_id, None)
    assert [submit(engine, within=0.001) for _ in range(3)] == [True] * 3


def in_a_transaction(engine: Engine, new: NewJob, model: str, within: float) -> UUID:
    with transaction(engine) as connection:
        return submissions.add(connection, new, model, within)


@pytest.mark.parametrize("add", [submissions.add_in_one_trip, in_a_transaction])
def test_of_many_concurrent_jobs_exactly_as_many_as_fit_are_admitted(engine: Engine, model_id: int, add: Add) -> None:
    add_worker(engine, model_id, 100)

    def try_one(_: int) -> bool:
        try:
            return bool(add(engine, job(), MODEL, 0.5))
        except LaneFull:
            return False

    with ThreadPoolExecutor(10) as pool:
        let_in = list(pool.map(try_one, range(40)))
    # Each job is 0.1 s of work, and is admitted with 0, 0.1, … 0.5 s ahead of it.
    assert sum(let_in) == len(steps.rows(engine, "SELECT FROM jobs")) == 6
