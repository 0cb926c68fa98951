"""The outage drill: `python -m benchmarks.faults.outage`.

Exit code 1 where the service said other than its callers saw.

Freezes each part of a service in turn, under light load, and repairs nothing but for the SIGCONT after the freeze. What
callers see is compared with /v1/sla (which the page shows), `verdict sla`, /readyz and, where Prometheus is installed,
with the alerts and targets of its rules.
"""

import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from signal import Signals
from typing import Annotated

import httpx
import typer
from rich.console import Console

from benchmarks.common.processes import Part
from benchmarks.common.stack import UNBOUNDED, Stack, running_stack, wait_until
from benchmarks.faults.alerts import watching
from benchmarks.faults.drill import show
from benchmarks.faults.process_faults import FaultOutcome, count
from benchmarks.faults.witnesses import ANSWER_SECONDS, Look, Witnesses

REPLACED_SECONDS = 30.0  # a process of ours that hangs
SHOWN_SECONDS = 10.0  # callers who are hurt for so long are seen
ALARMED_SECONDS = 20.0  # an interactive review may wait for 10 s; a scrape and a round of the rules come on top
UNREADY_SECONDS = 35.0  # a worker is live for 30 s after it asked for work
HEALED_SECONDS = 90.0
OURS = (Part.WORKER, Part.WORKER_CHILD, Part.API, Part.MAINTENANCE)
# What callers do not notice needs nobody at once.
UNNOTICED = {Part.MAINTENANCE}


def main(
    seconds: Annotated[float, typer.Option(min=5, help="How long each part is frozen.")] = 60,
    part: Annotated[list[Part] | None, typer.Option(help="Only this part; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Freeze each part of a service and compare what it says of itself with what its callers see."""
    console = Console(stderr=as_json)
    with tempfile.TemporaryDirectory(prefix="verdict-") as folder, running_stack(UNBOUNDED) as stack:
        outcomes = []
        for outcome in drill(stack, Path(folder), seconds, part or list(Part)):
            outcomes.append(outcome)
            console.print(f"{outcome.broken}: {'held' if not outcome.wrong else 'NOT held'}", markup=False)
    if as_json:
        print(json.dumps([asdict(outcome) for outcome in outcomes], indent=2))
    else:
        show(console, outcomes, "Outage drill")
    raise typer.Exit(any(outcome.wrong for outcome in outcomes))


def drill(stack: Stack, folder: Path, seconds: float, parts: Sequence[Part]) -> Generator[FaultOutcome]:
    """Freeze one part after the other; at the end, count what was accepted."""
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
    said = len(stack.said())
    stopped = _stop(stack, part)
    began = time.monotonic()
    replaced = _replaced_after(stack, part, stopped[0], began, seconds)
    time.sleep(max(0.0, began + seconds - time.monotonic()))
    for pid in stopped:
        with suppress(ProcessLookupError):
            os.kill(pid, Signals.SIGCONT)
    thawed = time.monotonic()
    outcome.expect(_heals(stack, witnesses), f"not healed {HEALED_SECONDS:g} s after the end")
    healed = time.monotonic()
    if part in OURS:
        outcome.figures["replaced after s"] = "never" if replaced is None else round(replaced, 1)
        within = replaced is not None and replaced <= REPLACED_SECONDS
        outcome.expect(within or seconds < REPLACED_SECONDS, f"not replaced within {REPLACED_SECONDS:g} s")
    else:
        outcome.expect("hangs" not in stack.said()[said:], f"a process was killed for it: {stack.said()[said:]}")
    outcome.figures["healed after the end, s"] = round(healed - thawed, 1)
    _compare(outcome, witnesses, part, (began, thawed, healed))
    return outcome


def _stop(stack: Stack, part: Part) -> list[int]:
    """Stop the part: one process of ours, or all of a server."""
    pids = wait_until(lambda: stack.pids(part), f"{part} runs")
    chosen = pids[:1] if part in OURS else pids
    for pid in chosen:
        with suppress(ProcessLookupError):
            os.kill(pid, Signals.SIGSTOP)
    return chosen


def _replaced_after(stack: Stack, part: Part, pid: int, began: float, seconds: float) -> float | None:
    """Seconds until another process has the place, or None if none has before the freeze ends."""
    while part in OURS and time.monotonic() < began + seconds:
        found = stack.pids(part)
        if found and pid not in found:
            return time.monotonic() - began
        time.sleep(0.1)
    return None


def _heals(stack: Stack, witnesses: Witnesses) -> bool:
    """Wait until the service is ready and calls that began after now are fine."""
    since = time.monotonic()
    while time.monotonic() < since + HEALED_SECONDS:
        if stack.is_ready() and sum(call.began > since and call.was_fine for call in witnesses.calls) >= 4:
            return True
        time.sleep(0.2)
    return False


def _compare(outcome: FaultOutcome, witnesses: Witnesses, part: Part, times: tuple[float, float, float]) -> None:
    """Whoever looked while callers were hurt must have seen it; `times` are those of freeze, thaw and recovery."""
    began, thawed, ended = times
    calls = [call for call in witnesses.calls if call.ended > began and call.began < ended]
    answers = Counter(answer for call in calls for answer in call.answers)
    outcome.figures["callers saw"] = " ".join(f"{answer}:{times}" for answer, times in sorted(answers.items()))
    outcome.figures["longest call, s"] = round(max(min(call.ended, ended) - call.began for call in calls), 1)
    looks = [look for look in witnesses.looks if look.ended > began and look.began < ended]
    hurt = [look for look in looks if witnesses.is_hurt(look.began - SHOWN_SECONDS, look.ended)]
    outcome.figures["looks, callers hurt then"] = f"{len(looks)}, {len(hurt)}"
    outcome.figures["said"] = "; ".join(dict.fromkeys(look.headline for look in hurt[:1] + hurt[-1:]))
    codes = {
        code
        for start, end, code in witnesses.exit_codes
        if start > began and end < ended and witnesses.is_hurt(start - SHOWN_SECONDS, end)
    }
    outcome.figures["exit codes of `verdict sla` then"] = " ".join(map(str, sorted(codes)))
    outcome.expect(0 not in codes, "`verdict sla` ended with 0")
    for look in hurt:
        at = f"{look.began - began:.0f} s after the freeze"
        outcome.expect(look.is_met is not True, f"/v1/sla was met {at}: {look.headline}")
        long = look.ended < thawed and witnesses.is_hurt(look.began - UNREADY_SECONDS, look.ended)
        outcome.expect(not (long and look.is_ready), f"/readyz was ready {at}")
        if look.alerts is not None and witnesses.is_hurt(look.began - ALARMED_SECONDS, look.ended):
            outcome.expect(look.rules_met is not True, f"every target of the rules was met {at}")
            outcome.expect("page" in look.alerts.values(), f"no page was raised {at}: {look.alerts}")
    _show_alerts(outcome, looks)
    if part in UNNOTICED:
        outcome.expect(not hurt, "callers were hurt")
    elif outcome.figures["longest call, s"] > SHOWN_SECONDS + ANSWER_SECONDS:  # type: ignore[operator]  # a number
        outcome.expect(bool(hurt), "callers were hurt, and nobody looked")


def _show_alerts(outcome: FaultOutcome, looks: Sequence[Look]) -> None:
    seen = Counter(name for look in looks for name in look.alerts or ())
    outcome.figures["alerts raised"] = " ".join(sorted(seen)) if looks[-1].alerts is not None else "not judged"


def _counted(stack: Stack, witnesses: Witnesses) -> FaultOutcome:
    """Every call got one job, every job its one result, and the service says that it is well again."""
    outcome = FaultOutcome("what was accepted meanwhile")
    jobs = [call.job_id for call in witnesses.calls]
    with httpx.Client(base_url=stack.url, timeout=60) as client:
        found = [client.get(f"/v1/jobs/{job}", params={"wait": 20}).json() for job in jobs]
        done = sum(len(job["results"]) == 1 and job["status"] == "succeeded" for job in found)
        end = time.monotonic() + HEALED_SECONDS
        while not (met := client.get("/v1/sla", params={"window": "1m"}).json())["met"] and time.monotonic() < end:
            client.post("/v1/jobs", json={"reviews": [{"text": "Fine."}]}, headers={"Prefer": "wait=5"})
            time.sleep(1)
    outcome.figures |= {
        "calls": len(jobs),
        "results": done,
        "lost": len(jobs) - done,
        "said at the end": met["headline"],
    }
    outcome.expect(
        len(set(jobs)) == len(jobs) == done, f"{done} results of {len(set(jobs))} jobs for {len(jobs)} calls"
    )
    stored = count(stack, "SELECT count(*) FROM jobs WHERE status <> 'succeeded'")
    outcome.expect(stored == 0, f"{stored} jobs in the store did not succeed")
    left = count(stack, "SELECT count(*) FROM leases")
    outcome.expect(left == 0, f"{left} leases were left")
    outcome.expect(met["met"] is True, f"a minute later it still says: {met['headline']}")
    return outcome


if __name__ == "__main__":
    typer.run(main)
