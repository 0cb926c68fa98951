"""The outage drill: `python -m benchmarks.faults.outage`. Exit code 1 if the service misreported its state.

Freezes each part of a service in turn, under light load, and repairs nothing except for the SIGCONT after the freeze.
Compares the experience of callers with /v1/sla (which the page shows), `verdict sla` and /readyz, and if Prometheus is
installed, with the alerts and targets of its rules.
"""

import os
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path
from signal import Signals
from typing import Annotated, Any

import httpx
import typer

from benchmarks.common.processes import Part
from benchmarks.common.stack import UNBOUNDED, Stack, running_stack
from benchmarks.common.waiting import poll, wait_until
from benchmarks.faults.alerts import watching
from benchmarks.faults.outcomes import FaultOutcome, report
from benchmarks.faults.process_faults import LEASES
from benchmarks.faults.witnesses import ANSWER_SECONDS, Observation, Witnesses

REPLACED_SECONDS = 30.0  # within which a hanging process of Verdict must be replaced
SHOWN_SECONDS = 10.0  # callers that are harmed for so long must show in /v1/sla
ALARMED_SECONDS = 20.0  # an interactive review may wait for 10 s; a scrape and an evaluation of the rules add to it
UNREADY_SECONDS = 35.0  # a worker counts as live for 30 s after it asked for work
HEALED_SECONDS = 90.0
OURS = (Part.WORKER, Part.WORKER_CHILD, Part.API, Part.MAINTENANCE)
UNNOTICED = {Part.MAINTENANCE}  # callers do not notice its freeze, so no alert is needed


def main(
    seconds: Annotated[float, typer.Option(min=5, help="How long each part is frozen.")] = 60,
    part: Annotated[list[Part] | None, typer.Option(help="Only this part; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Freeze each part of a service and compare its own reports with the experience of its callers."""
    with tempfile.TemporaryDirectory(prefix="verdict-") as folder, running_stack(UNBOUNDED) as stack:
        report(drill(stack, Path(folder), seconds, part or list(Part)), "Outage drill", as_json=as_json)


def drill(stack: Stack, folder: Path, seconds: float, parts: Sequence[Part]) -> Generator[FaultOutcome]:
    """Freeze one part after the other; at the end, count the accepted jobs."""
    with watching(stack, folder) as alerts:
        witnesses = Witnesses(stack, alerts)
        with witnesses.present():
            time.sleep(SHOWN_SECONDS)
            for part in parts:
                yield _frozen(stack, witnesses, part, seconds)
        yield _counted(stack, witnesses)


def _frozen(stack: Stack, witnesses: Witnesses, part: Part, seconds: float) -> FaultOutcome:
    outcome = FaultOutcome(f"{part} frozen for {seconds:g} s")
    wait_until(stack.is_ready, "the service is ready", HEALED_SECONDS)
    logged = len(stack.log())
    stopped = _stop(stack, part)
    began = time.monotonic()
    replaced = _replaced_after(stack, stopped[0], part, seconds) if part in OURS else None
    time.sleep(max(0.0, began + seconds - time.monotonic()))
    _signal(stopped, Signals.SIGCONT)
    thawed = time.monotonic()
    outcome.expect(_heals(stack, witnesses), f"not healed {HEALED_SECONDS:g} s after the end")
    healed = time.monotonic()
    if part in OURS:
        outcome.figures["replaced after s"] = "never" if replaced is None else round(replaced, 1)
        within = replaced is not None and replaced <= REPLACED_SECONDS
        outcome.expect(within or seconds < REPLACED_SECONDS, f"not replaced within {REPLACED_SECONDS:g} s")
    else:
        logs = stack.log()[logged:]
        outcome.expect("hangs" not in logs, f"a process was killed for it: {logs}")
    outcome.figures["healed after the end, s"] = round(healed - thawed, 1)
    _compare(outcome, witnesses, part, (began, thawed, healed))
    return outcome


def _stop(stack: Stack, part: Part) -> list[int]:
    """Freeze one process of a part of Verdict, or all processes of a server; return their ids."""
    pids = wait_until(lambda: stack.pids(part), f"{part} runs")
    chosen = pids[:1] if part in OURS else pids
    _signal(chosen, Signals.SIGSTOP)
    return chosen


def _signal(pids: Sequence[int], number: Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _replaced_after(stack: Stack, pid: int, part: Part, seconds: float) -> float | None:
    """Return the seconds until another process replaces this one, or None if that takes longer than `seconds`."""
    began = time.monotonic()
    replaced = poll(lambda: (found := stack.pids(part)) and pid not in found, seconds, 0.1)
    return time.monotonic() - began if replaced else None


def _heals(stack: Stack, witnesses: Witnesses) -> bool:
    """Wait until the service is ready and calls that began after now succeed; return whether they do in time."""
    since = time.monotonic()

    def is_healed() -> bool:
        return stack.is_ready() and sum(call.began > since and call.was_fine for call in witnesses.calls) >= 4

    return poll(is_healed, HEALED_SECONDS, 0.2)


def _compare(outcome: FaultOutcome, witnesses: Witnesses, part: Part, times: tuple[float, float, float]) -> None:
    """Expect that every report made while callers were harmed shows it; `times`: freeze, thaw, recovery."""
    began, thawed, ended = times
    calls = [call for call in witnesses.calls if call.ended > began and call.began < ended]
    answers = Counter(answer for call in calls for answer in call.answers)
    longest = max(min(call.ended, ended) - call.began for call in calls)
    seen = [each for each in witnesses.observations if each.ended > began and each.began < ended]
    harmed = [each for each in seen if witnesses.are_harmed(each.began - SHOWN_SECONDS, each.ended)]
    codes = {
        code
        for start, end, code in witnesses.exit_codes
        if start > began and end < ended and witnesses.are_harmed(start - SHOWN_SECONDS, end)
    }
    alerts = Counter(name for each in seen for name in each.alerts or ())
    outcome.figures |= {
        "callers saw": " ".join(f"{answer}:{times}" for answer, times in sorted(answers.items())),
        "longest call, s": round(longest, 1),
        "observations, callers harmed then": f"{len(seen)}, {len(harmed)}",
        "reported": "; ".join(dict.fromkeys(each.headline for each in harmed[:1] + harmed[-1:])),
        "exit codes of `verdict sla` then": " ".join(map(str, sorted(codes))),
        "alerts raised": " ".join(sorted(alerts)) if seen[-1].alerts is not None else "no Prometheus",
    }
    outcome.expect(0 not in codes, "`verdict sla` ended with 0")
    for each in harmed:
        _expect_reported(outcome, witnesses, each, began, thawed)
    if part in UNNOTICED:
        outcome.expect(not harmed, "callers were harmed")
    elif longest > SHOWN_SECONDS + ANSWER_SECONDS:
        outcome.expect(bool(harmed), "callers were harmed, and no observation was made then")


def _expect_reported(
    outcome: FaultOutcome, witnesses: Witnesses, seen: Observation, began: float, thawed: float
) -> None:
    """Expect that an observation made while callers were harmed shows it in each report."""
    at = f"{seen.began - began:.0f} s after the freeze"
    outcome.expect(seen.is_met is not True, f"/v1/sla was met {at}: {seen.headline}")
    long = seen.ended < thawed and witnesses.are_harmed(seen.began - UNREADY_SECONDS, seen.ended)
    outcome.expect(not (long and seen.is_ready), f"/readyz was ready {at}")
    if seen.alerts is not None and witnesses.are_harmed(seen.began - ALARMED_SECONDS, seen.ended):
        outcome.expect(seen.rules_met is not True, f"every target of the rules was met {at}")
        outcome.expect("page" in seen.alerts.values(), f"no page was raised {at}: {seen.alerts}")


def _counted(stack: Stack, witnesses: Witnesses) -> FaultOutcome:
    """Expect one job for each call, one result for each job, and a met SLA within a minute and a half."""
    outcome = FaultOutcome("jobs accepted meanwhile")
    jobs = [call.job_id for call in witnesses.calls]
    with httpx.Client(base_url=stack.url, timeout=60) as client:
        found = [client.get(f"/v1/jobs/{job}", params={"wait": 20}).json() for job in jobs]
        poll(lambda: _is_met(client), HEALED_SECONDS, 1)
        sla = _sla(client)
    done = sum(len(job["results"]) == 1 and job["status"] == "succeeded" for job in found)
    outcome.figures |= {"calls": len(jobs), "results": done, "lost": len(jobs) - done, "at the end": sla["headline"]}
    outcome.expect(
        len(set(jobs)) == len(jobs) == done, f"{done} results of {len(set(jobs))} jobs for {len(jobs)} calls"
    )
    stored = stack.count("SELECT count(*) FROM jobs WHERE status <> 'succeeded'")
    outcome.expect(stored == 0, f"{stored} stored jobs did not succeed")
    left = stack.count(LEASES)
    outcome.expect(left == 0, f"{left} leases were left")
    outcome.expect(sla["met"] is True, f"a minute later /v1/sla still reports: {sla['headline']}")
    return outcome


def _sla(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/v1/sla", params={"window": "1m"}).json()
    return found


def _is_met(client: httpx.Client) -> bool:
    """Return whether the SLA is met; if not, submit a review, since it is measured on fresh ones."""
    if _sla(client)["met"]:
        return True
    client.post("/v1/jobs", json={"reviews": [{"text": "Fine."}]}, headers={"Prefer": "wait=5"})
    return False


if __name__ == "__main__":
    typer.run(main)
