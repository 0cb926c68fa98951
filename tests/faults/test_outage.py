"""A hung process is replaced within 30 s; the full drill is `python -m benchmarks.faults.outage`."""

import os
import time
from contextlib import closing
from pathlib import Path
from signal import Signals

import httpx
import pytest

from benchmarks.common.processes import Part
from benchmarks.common.stack import Stack
from benchmarks.common.waiting import wait_until
from benchmarks.faults.outage import OURS, REPLACED_SECONDS, drill

ANSWERED_SECONDS = 60.0


@pytest.mark.timeout(180)
def test_every_hung_process_is_replaced_and_its_reviews_are_classified(stack: Stack) -> None:
    wait_until(stack.is_ready, "the service is ready", ANSWERED_SECONDS)
    with httpx.Client(base_url=stack.url, timeout=ANSWERED_SECONDS) as client:
        hung = {part: stack.pids(part)[0] for part in OURS}
        # The child first and alone: its parent must notice, not the supervisor.
        os.kill(hung[Part.WORKER_CHILD], Signals.SIGSTOP)
        job = client.post("/v1/jobs", json={"reviews": [{"text": "A fine film."}]}).json()
        began = time.monotonic()
        wait_until(lambda: _is_replaced(stack, Part.WORKER_CHILD, hung), "another child", REPLACED_SECONDS)
        assert stack.pids(Part.WORKER)[0] == hung[Part.WORKER]
        assert client.get(f"/v1/jobs/{job['id']}", params={"wait": 25}).json()["status"] == "succeeded"
        assert time.monotonic() - began < ANSWERED_SECONDS

        others = [part for part in OURS if part is not Part.WORKER_CHILD]
        for part in others:
            os.kill(hung[part], Signals.SIGSTOP)
        for part in others:
            wait_until(lambda part=part: _is_replaced(stack, part, hung), f"another {part}", REPLACED_SECONDS)  # type: ignore[misc]
    wait_until(stack.is_ready, "the service is ready", ANSWERED_SECONDS)


def _is_replaced(stack: Stack, part: Part, hung: dict[Part, int]) -> bool:
    found = stack.pids(part)
    return bool(found) and hung[part] not in found


@pytest.mark.timeout(180)
def test_the_metrics_agree_with_callers_while_a_worker_is_frozen(stack: Stack, tmp_path: Path) -> None:
    with closing(drill(stack, tmp_path, seconds=14, parts=[Part.WORKER_CHILD])) as outcomes:
        outcome = next(outcomes)
    assert not outcome.wrong, outcome
    assert outcome.figures["exit codes of `verdict sla` then"] in {"", "1"}
