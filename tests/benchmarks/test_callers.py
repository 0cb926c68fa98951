"""Visits with scripted answers; test_generator runs them on a real service."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from benchmarks.users.callers import Reply, visit
from benchmarks.users.user_model import VisitKind, VisitOutcome

URLS = {"self": "/v1/jobs/7", "results": "/v1/jobs/7/results"}
ANSWER = Reply(200, {"location": "/v1/jobs/7"}, b'{"sentiment": "positive", "confidence": 0.9}')
REFUSAL = Reply(429, {"retry-after": "3"}, b"{}")


def job(status: str, rows: int = 1, succeeded: int | None = None, lane: str = "interactive", code: int = 200) -> Reply:
    done = (rows if status == "succeeded" else 0) if succeeded is None else succeeded
    results: list[dict[str, Any]] = [{"sentiment": "positive"}] * done
    counts = {"succeeded": done, "failed": rows - done if status in {"succeeded", "failed"} else 0}
    content = {"status": status, "lane": lane, "counts": counts, "results": results, "urls": URLS}
    return Reply(code, {"location": "/v1/jobs/7"}, json.dumps(content).encode())


class Script:
    """A connection with scripted answers, and a clock that only pauses and requests advance."""

    def __init__(self, *replies: Reply, ends_at: float = 1000) -> None:
        self.replies, self.sent, self.clock, self.ends_at = list(replies), list[tuple[str, str, str]](), 10.0, ends_at

    def send(self, method: str, path: str, route: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        assert headers.get("Content-Type", "") in {"", "application/json", "text/csv"}
        assert bool(body) == (method == "POST")
        self.sent.append((method, path, route))
        self.clock += 0.25
        return self.replies.pop(0)

    def pause(self, seconds: float) -> bool:
        self.clock += seconds
        return self.clock < self.ends_at

    def now(self) -> float:
        return self.clock


def test_a_single_review_that_is_waited_for() -> None:
    line = Script(job("succeeded"))
    seen = visit(VisitKind.WAIT, ["good"], line)
    assert (seen.outcome, seen.seconds, seen.accepted, seen.succeeded) == (VisitOutcome.ANSWERED, 0.25, True, 1)
    assert (seen.lane, seen.start, seen.refusals) == ("interactive", 10, 0)
    assert line.sent == [("POST", "/v1/jobs", "/v1/jobs")]


def test_the_short_form() -> None:
    seen = visit(VisitKind.CLASSIFY, ["good"], Script(ANSWER))
    assert (seen.outcome, seen.lane, seen.accepted, seen.succeeded) == (VisitOutcome.ANSWERED, "interactive", True, 1)


def test_a_polling_visit_asks_until_the_job_has_ended() -> None:
    line = Script(job("queued", code=202), job("processing"), job("succeeded"))
    seen = visit(VisitKind.POLL, ["good"], line)
    assert (seen.outcome, seen.seconds) == (VisitOutcome.ANSWERED, 0.75)
    assert line.sent[1:] == [("GET", "/v1/jobs/7?wait=10", "/v1/jobs/{job_id}")] * 2


def test_the_download_of_a_file_does_not_count_in_its_time() -> None:
    table = Reply(200, {}, b'review,sentiment\n"a\nb",positive\nc,negative\n')
    line = Script(job("succeeded", rows=2, lane="bulk"), table)
    seen = visit(VisitKind.FILE, ["a\nb", "c"], line)
    assert (seen.outcome, seen.lane, seen.succeeded, seen.seconds) == (VisitOutcome.ANSWERED, "bulk", 2, 0.25)
    assert line.sent[1] == ("GET", "/v1/jobs/7/results?format=csv", "/v1/jobs/{job_id}/results")


def test_a_refusal_is_obeyed_and_counted() -> None:
    seen = visit(VisitKind.WAIT, ["good"], Script(REFUSAL, REFUSAL, job("succeeded")))
    assert (seen.outcome, seen.refusals, seen.told) == (VisitOutcome.ANSWERED, 2, 3)
    assert seen.waited == 6.25  # two pauses and the refusal between them
    assert seen.seconds == 0.25  # from the accepted submission


def test_an_impatient_user_and_one_without_time_leave_when_refused() -> None:
    hurried = visit(VisitKind.WAIT, ["good"], Script(REFUSAL), patient=False)
    late = visit(VisitKind.WAIT, ["good"], Script(REFUSAL, ends_at=12))
    assert [(seen.outcome, seen.refusals, seen.accepted) for seen in (hurried, late)] == [
        (VisitOutcome.LEFT, 1, False)
    ] * 2


@pytest.mark.parametrize(
    ("replies", "why"),
    [
        ([Reply(503, {"retry-after": "1"}, b'{"type": "urn:verdict:store-unavailable"}')], "503"),
        ([Reply(0, {}, b"ConnectionRefusedError()")], "no answer ConnectionRefusedError"),
        ([Reply(429, {}, b"")], "Retry-After ''"),
        ([Reply(429, {"retry-after": "0"}, b"")], "Retry-After '0'"),
        ([Reply(200, {}, b"<html>")], "not the answer of this API"),
        ([Reply(200, {}, b"[]")], "not the answer of this API"),
        ([job("failed")], '1 rows ended as {"succeeded": 0, "failed": 1}'),
        ([job("succeeded", rows=2)], '1 rows ended as {"succeeded": 2'),
        ([job("queued", code=202), Reply(500, {}, b"")], "500"),
    ],
)
def test_an_answer_without_a_result_is_a_failure_with_a_reason(replies: list[Reply], why: str) -> None:
    seen = visit(VisitKind.WAIT, ["good"], Script(*replies))
    assert seen.outcome == VisitOutcome.FAILED
    assert why in seen.why


def test_a_short_table_and_a_short_form_without_a_sentiment_are_failures() -> None:
    table = visit(VisitKind.FILE, ["a", "b"], Script(job("succeeded", rows=2), Reply(200, {}, b"review\na\n")))
    nothing = visit(VisitKind.CLASSIFY, ["a"], Script(Reply(200, {}, b'{"sentiment": null}')))
    assert [seen.outcome for seen in (table, nothing)] == [VisitOutcome.FAILED] * 2
    assert "hold 1 of 2 rows" in table.why
