"""The targets of the SLA, and figures held against them.

The figures come from the store (db.sla, for the API) or from Prometheus (cli.sla); what they mean is said once, here.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

FAILURES = 0.01  # of requests, and of rows
MEAN_MS = 200.0  # from submit to the stored result of an interactive review
P95_MS = 500.0
ACCURACY = 0.9
RESOURCES = 1.0  # of what the container may have

# The calls that count as requests: those that submit, read or change a job or a review. Not those that look at the
# service as a whole, as machines and every open page do all the time: /livez, /metrics, /v1/sla, the list of jobs.
# The same in SQL (db.sla) and in monitoring/prometheus/rules/slo.yml.
CALLS = (
    'verdict_http_requests_total{route=~"/v1/(classify|jobs/.+|reviews/.+)"%s}',
    'verdict_http_requests_total{route="/v1/jobs",method="POST"%s}',
)

LEAST_FEEDBACK = 20  # fewer words from callers say nothing about accuracy
LONGEST = timedelta(days=30)

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def window_of(words: str) -> timedelta:
    """The time that `90m`, `6h` or `7d` means.

    Raises:
        ValueError: it is no such thing, or more than 30 days.
    """
    found = re.fullmatch(r"([1-9]\d{0,4})([mhd])", words, re.ASCII)
    window = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None
    if window is None or window > LONGEST:
        raise ValueError("must be a number and m, h or d, from 1m to 30d, such as 90m or 7d")
    return window


@dataclass(frozen=True, slots=True)
class Measured:
    """What a window holds. A figure is None where nothing was counted; the targets say what is a failure."""

    requests: int
    requests_failed: int  # answered with 5xx
    rows: int  # that ended, but those that were cancelled or held nothing to judge
    rows_failed: int  # dead letters, and those whose deadline passed
    reviews: int  # interactive, with a stored result; `with_overdue` adds those without
    reviews_slow: int  # that took longer than P95_MS
    mean_ms: float | None
    p95_ms: float | None
    feedbacks: int
    feedbacks_agreeing: int


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What has no result now. Rows are stranded while no live worker serves their model."""

    overdue: int  # interactive reviews that are older than P95_MS
    overdue_seconds: float  # their ages together
    waiting: int  # rows, those that are being judged among them
    stranded: int
    stranded_seconds: float  # age of the oldest job with stranded rows
    stranded_models: tuple[str, ...]
    any_live: bool  # whether any worker is live


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target: `met` is None where there is nothing to judge. `missed` of the `counted` are against it."""

    name: str
    title: str
    unit: Literal["ratio", "ms", "rows"]
    figure: float | None
    limit: float
    met: bool | None
    budget_left: float | None  # 1 at first, 0 when the limit is reached, less beyond
    counted: int
    missed: int | None
    is_floor: bool = False  # the figure must be at least the limit, not at most


def with_overdue(measured: Measured, unfinished: Unfinished) -> Measured:
    """Count interactive reviews that are overdue as slow, each with its age.

    Where they make more than one review in 20 slow, the 95th percentile is one of them: their mean age stands for it.
    """
    overdue, reviews = unfinished.overdue, measured.reviews + unfinished.overdue
    if not overdue:
        return measured
    slow, p95 = measured.reviews_slow + overdue, measured.p95_ms
    if p95 is None or slow / reviews > 0.05:
        p95 = max(p95 or 0.0, unfinished.overdue_seconds / overdue * 1000)
    mean = ((measured.mean_ms or 0.0) * measured.reviews + unfinished.overdue_seconds * 1000) / reviews
    return replace(measured, reviews=reviews, reviews_slow=slow, mean_ms=mean, p95_ms=p95)


def judge(measured: Measured) -> list[Verdict]:
    """A verdict on each target that the measured figures can be held against."""
    disagreeing = measured.feedbacks - measured.feedbacks_agreeing
    return [
        _failures("request_failures", "Failed requests", measured.requests, measured.requests_failed),
        _failures("result_failures", "Failed results", measured.rows, measured.rows_failed),
        _at_most("mean_latency", "Mean time to the result", "ms", measured.mean_ms, MEAN_MS, measured.reviews),
        _p95(measured),
        _accuracy(measured.feedbacks, disagreeing),
    ]


def resource(name: str, title: str, highest_share: float | None, processes: int) -> Verdict:
    """A verdict on memory or CPU: the highest share of its limit that any of the processes took."""
    return _at_most(name, title, "ratio", highest_share, RESOURCES, processes)


def served(waiting: int, stranded: int) -> Verdict:
    """A verdict on what waits now: every row must have a live worker. There is no budget of rows without one."""
    figure, met = (float(stranded), stranded == 0) if waiting else (None, None)
    return Verdict("waiting", "Rows without a worker", "rows", figure, 0, met, None, waiting, stranded)


def headline(verdicts: Iterable[Verdict], unfinished: Unfinished) -> str:
    """The first line: what stands still goes before what was missed."""
    if unfinished.stranded:
        models = "" if not unfinished.any_live else f" for {', '.join(unfinished.stranded_models)}"
        reviews = "1 review waits" if unfinished.stranded == 1 else f"{unfinished.stranded:,} reviews wait"
        oldest = f"the oldest for {unfinished.stranded_seconds:.0f} s"
        return f"No worker{models} is live: {reviews}, {oldest}; they are kept"
    verdicts = list(verdicts)
    if missed := [each.title.lower() for each in verdicts if each.met is False]:
        return f"Missed: {', '.join(missed)}"
    return (
        "Nothing happened that could be judged"
        if all_met(verdicts) is None
        else "Every target that can be judged is met"
    )


def all_met(verdicts: Iterable[Verdict]) -> bool | None:
    """Whether every target is met that can be judged; None when none can."""
    judged = [each.met for each in verdicts if each.met is not None]
    return all(judged) if judged else None


def _failures(name: str, title: str, counted: int, failed: int) -> Verdict:
    ratio = failed / counted if counted else None
    met, left = (None, None) if ratio is None else (ratio <= FAILURES, 1 - ratio / FAILURES)
    return Verdict(name, title, "ratio", ratio, FAILURES, met, left, counted, failed)


def _at_most(  # noqa: PLR0913, PLR0917  a target's fields
    name: str, title: str, unit: Literal["ratio", "ms"], figure: float | None, limit: float, counted: int
) -> Verdict:
    """A figure that is no count of failures: its budget is what it stays below the limit."""
    met, left = (None, None) if figure is None else (figure <= limit, 1 - figure / limit)
    return Verdict(name, title, unit, figure, limit, met, left, counted, None)


def _p95(measured: Measured) -> Verdict:
    """One review in 20 may take longer: those are the budget."""
    figure, counted, slow = measured.p95_ms, measured.reviews, measured.reviews_slow
    met, left = (None, None) if figure is None or not counted else (figure <= P95_MS, 1 - slow / counted / 0.05)
    return Verdict("p95_latency", "95 % of results within", "ms", figure, P95_MS, met, left, counted, slow)


def _accuracy(counted: int, wrong: int) -> Verdict:
    figure = met = left = None  # of a few words a share says nothing: the first one would make it 0 or 100 %
    if counted >= LEAST_FEEDBACK:
        figure = (counted - wrong) / counted
        met, left = figure >= ACCURACY, (figure - ACCURACY) / (1 - ACCURACY)
    return Verdict("accuracy", "Accuracy by feedback", "ratio", figure, ACCURACY, met, left, counted, wrong, True)
