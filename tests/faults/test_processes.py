"""Each fault of benchmarks.faults once, on real processes; benchmarks.faults.drill is the full version."""

from benchmarks.common.stack import Stack
from benchmarks.faults import file_faults, process_faults
from benchmarks.faults.process_faults import break_by


def test_all_reviews_succeed_once_while_the_worker_is_killed_and_valkey_is_emptied(stack: Stack) -> None:
    outcome = break_by(process_faults.worker_killed(stack, reviews=1000, kills=3, flushes=2), stack)
    assert not outcome.wrong, outcome


def test_a_frozen_valkey_does_not_slow_a_post(stack: Stack) -> None:
    outcome = break_by(process_faults.valkey_frozen(stack, seconds=4), stack)
    assert not outcome.wrong, outcome


def test_a_busy_worker_ends_in_time_and_leaves_nothing_behind(stack: Stack) -> None:
    outcome = break_by(process_faults.worker_stopped(stack, reviews=1000), stack)
    assert not outcome.wrong, outcome


def test_a_worker_whose_child_is_killed_makes_another(stack: Stack) -> None:
    outcome = break_by(process_faults.child_killed(stack, reviews=500), stack)
    assert not outcome.wrong, outcome


def test_reviews_of_a_frozen_worker_go_to_another_and_its_late_results_are_dropped(stack: Stack) -> None:
    outcome = break_by(process_faults.child_frozen(stack, reviews=500), stack)
    assert not outcome.wrong, outcome


def test_an_accepted_job_survives_the_api(stack: Stack) -> None:
    outcome = break_by(process_faults.api_killed(stack), stack)
    assert not outcome.wrong, outcome


def test_clients_of_a_killed_postgres_see_503_and_lose_nothing(stack: Stack) -> None:
    outcome = break_by(process_faults.postgres_killed(stack, seconds=8), stack)
    assert not outcome.wrong, outcome


def test_an_upload_interrupted_by_a_killed_api_leaves_nothing(stack: Stack) -> None:
    outcome = break_by(file_faults.api_killed_during_an_upload(stack, rows=500), stack)
    assert not outcome.wrong, outcome


def test_a_file_is_classified_and_downloaded_completely_although_worker_and_api_are_killed(stack: Stack) -> None:
    outcome = break_by(file_faults.worker_killed_during_a_file(stack, rows=600), stack)
    assert not outcome.wrong, outcome
