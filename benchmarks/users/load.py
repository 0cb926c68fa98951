"""`make load`: simulated users on a service, and a report: `python -m benchmarks.users.load COMMAND`.

Without --url it runs a service of its own on an empty database. Exit code 1 if a promise was broken or the counts
differ, 2 if nothing could be measured.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from benchmarks.common.review_texts import read_reviews
from benchmarks.users import overload as overloads
from benchmarks.users import ramp as ramps
from benchmarks.users.campaign import Common, climb, errors_in_one_line, progress, warm_up
from benchmarks.users.figures import Promise
from benchmarks.users.generator import UNLABELLED
from benchmarks.users.load_report import Report, promises_table
from benchmarks.users.ramp import Ascent, RampLimits, RampStep
from benchmarks.users.reconcile import ReconciledLine
from benchmarks.users.reference_server import CALLERS, LAP_REVIEWS, fastest, reference_target
from benchmarks.users.user_model import MIXES, Phase
from monitoring.sla import MEAN_MS, P95_MS
from settings import RunSettings

SLA = RampLimits(MEAN_MS, P95_MS)
NOTHING_HELD = [Promise("rates tried, of which none held", 1, 0)]
READY_MADE = RampLimits(float("inf"), 1000.0)  # a usual limit for ready-made servers: p95 below a second

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def common(
    context: typer.Context,
    url: Annotated[str, typer.Option(help="A running service; without it one is started.")] = "",
    home: Annotated[
        Path | None,
        typer.Option(help="VERDICT_HOME of that service, to count in its database and sample its processes."),
    ] = None,
    prometheus: Annotated[str, typer.Option(help="URL of a Prometheus that scrapes it, as a further count.")] = "",
    users: Annotated[int, typer.Option(min=1, max=20_000)] = 500,
    mix: Annotated[str, typer.Option(help=f"Mix of visits: {', '.join(MIXES)}.")] = "people",
    dataset: Annotated[Path, typer.Option(help="Parquet file with a column `text`; generated if absent.")] = UNLABELLED,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of the reports.")] = Path("benchmarks/results"),
) -> None:
    """Simulate users of a service, sample its processes, reconcile three counts, and write a report."""
    if url and not _is_address(url):
        raise typer.BadParameter(f"{url!r} is not a URL like http://127.0.0.1:8000", param_hint="--url")
    if mix not in MIXES:
        raise typer.BadParameter(f"{mix!r} is not one of {', '.join(MIXES)}", param_hint="--mix")
    folder = home or RunSettings().verdict_home
    context.obj = Common(url, folder, prometheus, users, mix, dataset, seed, out)


Rate = Annotated[float, typer.Option(min=0.1, help="Reviews a second.")]
Seconds = Annotated[float, typer.Option(min=1, help="Duration; of a ramp, of each step.")]


@app.command()
def run(context: typer.Context, rate: Rate = 60, seconds: Seconds = 600) -> None:
    """A constant rate."""
    wanted: Common = context.obj
    report = Report("load", "Load")
    with errors_in_one_line(), wanted.target() as target:
        warm_up(target, wanted)
        progress(f"{wanted.users} users, {rate:g} reviews/s, {seconds:g} s")
        trial = wanted.trial(target, [Phase(rate, seconds)])
    report.trial(trial, "load")
    print(f"refused at first: {trial.figures.refusals.visits} of {trial.figures.visits} visits")
    _finish(report, wanted.out, trial.figures.promises(), [*trial.lines, *trial.scraped_lines])


@app.command()
def ramp(
    context: typer.Context,
    rate: Rate = 60,
    seconds: Seconds = 60,
    step: Annotated[float, typer.Option(min=0.1, help="Added to the rate while the SLA is met.")] = 20,
    finest: Annotated[float, typer.Option(min=0.1, help="Precision of the highest rate.")] = 5,
) -> None:
    """The highest rate that meets the SLA: no failure, at most 1 % refused."""
    wanted: Common = context.obj
    report = Report("ramp", "Ramp")
    with errors_in_one_line(), wanted.target() as target:
        warm_up(target, wanted)
        steps, best = climb(wanted, target, Ascent(rate, step, finest), seconds, SLA)
    report.table("Steps", ramps.steps_table(steps))
    report.figures["steps"] = [asdict(each) | {"holds": each.holds} for each in steps]
    if best:
        report.trial(best, "highest rate that holds")
    _finish(report, wanted.out, best.figures.promises() if best else NOTHING_HELD)


@app.command()
def overload(
    context: typer.Context,
    rate: Annotated[float, typer.Option(min=0.1, help="Reviews a second that the service sustains.")] = 60,
    times: Annotated[float, typer.Option(min=1, help="Multiple of that rate.")] = 3,
    seconds: Seconds = 300,
    around: Annotated[float, typer.Option(min=1, help="Seconds of half the rate, before and after.")] = 60,
    returning: Annotated[
        float, typer.Option(min=0, max=1, help="Share of refused users that retry after Retry-After; the others leave.")
    ] = 1,
) -> None:
    """A rate beyond the capacity of the service, between two phases of half its capacity."""
    wanted: Common = context.obj
    report = Report("overload", "Overload")
    with errors_in_one_line(), wanted.target() as target:
        warm_up(target, wanted)
        progress(
            f"{wanted.users} users, {times:g} x {rate:g} reviews/s for {seconds:g} s, half for {around:g} s around"
        )
        trial = wanted.trial(target, overloads.phases(rate, times, seconds, around), returning=returning)
    found = overloads.assess(trial)
    report.table("Promises", promises_table(found.promises()))
    report.say(f"During the overload {found.attempts_per_second} submissions a second came, refused ones included.")
    report.figures["overload"] = asdict(found)
    report.trial(trial, "overload")
    _finish(report, wanted.out, found.promises(), [*trial.lines, *trial.scraped_lines])


@app.command()
def reference(
    context: typer.Context,
    rate: Annotated[float, typer.Option(min=0.1, help="First rate of the ramp of Verdict.")] = 60,
    reference_rate: Annotated[
        float, typer.Option(min=0.1, help="First rate of the ramp of the ready-made server.")
    ] = 15,
    seconds: Seconds = 60,
) -> None:
    """The highest rates of a ready-made server and of Verdict on the same single reviews, one after the other."""
    wanted: Common = replace(context.obj, mix="classify", prometheus="")
    report = Report("reference", "Ready-made server and Verdict, the same reviews by the short form")
    with errors_in_one_line():
        progress("looking for the fastest setup of the ready-made server")
        setup, tried = fastest(read_reviews(wanted.dataset, LAP_REVIEWS, wanted.seed)[0])
        with reference_target(setup) as (target, pid):
            warm_up(target, wanted)
            ascent, groups = Ascent(reference_rate, 10, 2.5), {"reference": [pid]}
            theirs, their_best = climb(wanted, target, ascent, seconds, READY_MADE, groups)
        with wanted.target() as target:
            warm_up(target, wanted)
            ours, our_best = climb(wanted, target, Ascent(rate, 20, 5), seconds, SLA)
    laps = ", ".join(f"{name} {lap}/s" for name, lap in tried.items())
    report.say(f"The fastest setup of the ready-made server was used, with {CALLERS} callers at once: {laps}.")
    _compare(report, ours, theirs)
    for name, best in (("ready-made server", their_best), ("Verdict", our_best)):
        if best:
            report.trial(best, name)
    _finish(report, wanted.out, our_best.figures.promises() if our_best else NOTHING_HELD)


def _compare(report: Report, ours: Sequence[RampStep], theirs: Sequence[RampStep]) -> None:
    compared = ramps.ratios(ours, theirs, SLA)
    report.table("Ratio", ramps.ratios_table(compared))
    report.table("Ready-made server, held to p95 < 1 s", ramps.steps_table(theirs))
    report.table("Verdict, held to the SLA", ramps.steps_table(ours))
    report.figures |= {"theirs": [asdict(each) for each in theirs], "ours": [asdict(each) for each in ours]}
    report.figures["ratio"] = asdict(compared) | {"within_sla": compared.within_sla, "whole": compared.whole}


def _is_address(url: str) -> bool:
    with suppress(ValueError):
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    return False


def _finish(report: Report, out: Path, promises: Sequence[Promise], lines: Sequence[ReconciledLine] = ()) -> None:
    """Write the report, print the promises, and exit; the code is 1 if a promise was broken or the counts differ."""
    path = report.write(out)
    different = [line.what for line in lines if not line.equal]
    for each in promises:
        held = {True: "held", False: "NOT HELD", None: "not measured"}[each.held]
        print(f"{each.name}: {each.figure:g} (limit {each.limit:g}), {held}")
    if lines:
        print(f"counts: {f'DIFFERENT in {len(different)} of {len(lines)}' if different else 'equal, to the unit'}")
    print(f"{path}, its JSON and its plots beside it")
    raise typer.Exit(bool(different or any(each.held is False for each in promises)))


if __name__ == "__main__":
    app()
