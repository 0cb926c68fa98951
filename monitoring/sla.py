"""The targets of the SLA, and the comparison of measured figures with them.

The figures come from PostgreSQL (db.sla, for the API) or from Prometheus (cli.sla). The limits are defined here; the
rules of Prometheus repeat them, which a test compares.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from monitoring.durations import duration

FAILURES = 0.01  # share of requests, and of rows
MEAN_MS = 200.0  # from submit to the stored result of an interactive review
P95_MS = 500.0
SLOW = 0.05  # share of reviews that may take longer than P95_MS
ACCURACY = 0.9
RESOURCES = 1.0  # share of the memory and CPU limit of the container

# The calls that count as requests: those that submit, read or change a job or a review. The others are polled all the
# time by machines and open pages: /livez, /metrics, /v1/sla, the list of jobs. db.sla and
# monitoring/prometheus/rules/slo.yml select the same calls.
CALLS = (
    'verdict_http_requests_total{route=~"/v1/(classify|jobs/.+|reviews/.+)"%s}',
    'verdict_http_requests_total{route="/v1/jobs",method="POST"%s}',
)

LEAST_FEEDBACK = 20  # accuracy needs at least so many feedbacks


def window_of(words: str) -> timedelta:
    """Parse the window of an SLA, from a minute to 30 days.

    Raises:
        ValueError: the text is not a duration, or is outside this range.
    """
    return duration(words, least="1m", most="30d")


@dataclass(frozen=True, slots=True)
class Measured:
    """The counts and latencies of a window. A latency is None if no review was counted."""

    requests: int
    requests_failed: int  # answered with 5xx
    rows: int  # ended, without cancelled ones and those without a review
    rows_failed: int  # dead letters, and rows past their deadline
    reviews: int  # interactive ones with a stored result; `with_overdue` adds those without
    reviews_slow: int  # of these, slower than P95_MS
    mean_ms: float | None
    p95_ms: float | None
    feedbacks: int
    feedbacks_agreeing: int


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The rows without a result now. Rows are stranded while no live worker serves their model."""

    overdue: int  # interactive reviews older than P95_MS
    overdue_seconds: float  # sum of their ages
    waiting: int  # rows, including those that are being predicted
    stranded: int
    stranded_seconds: float  # age of the oldest job with stranded rows
    stranded_models: tuple[str, ...]
    any_live: bool  # whether any worker is live


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target with its figure: `met` is None without data. `missed` of the `counted` events exceed the limit."""

    name: str
    title: str
    unit: Literal["ratio", "ms", "rows"]
    figure: float | None
    limit: float
    met: bool | None
    budget_left: float | None  # 1: unused, 0: spent, below 0: exceeded
    counted: int
    missed: int | None
    is_floor: bool = False  # the figure must be at least the limit, not at most


def with_overdue(measured: Measured, unfinished: Unfinished) -> Measured:
    """Count overdue interactive reviews as slow, each with its age.

    If more than one review in 20 is slow, the 95th percentile is among the overdue ones; their mean age estimates it.
    """
    overdue, reviews = unfinished.overdue, measured.reviews + unfinished.overdue
    if not overdue:
        return measured
    slow, p95 = measured.reviews_slow + overdue, measured.p95_ms
    if p95 is None or slow / reviews > SLOW:
        p95 = max(p95 or 0.0, unfinished.overdue_seconds / overdue * 1000)
    mean = ((measured.mean_ms or 0.0) * measured.reviews + unfinished.overdue_seconds * 1000) / reviews
    return replace(measured, reviews=reviews, reviews_slow=slow, mean_ms=mean, p95_ms=p95)


def judge(measured: Measured) -> list[Verdict]:
    """Compare the measured figures with their targets."""
    disagreeing = measured.feedbacks - measured.feedbacks_agreeing
    return [
        _failures("request_failures", "Failed requests", measured.requests, measured.requests_failed),
        _failures("result_failures", "Failed results", measured.rows, measured.rows_failed),
        _at_most("mean_latency", "Mean time to the result", "ms", measured.mean_ms, MEAN_MS, measured.reviews),
        _p95(measured),
        _accuracy(measured.feedbacks, disagreeing),
    ]


def resource(name: str, title: str, highest_share: float | None, processes: int) -> Verdict:
    """Compare memory or CPU with its limit, by the highest share of any process."""
    return _at_most(name, title, "ratio", highest_share, RESOURCES, processes)


def served(waiting: int, stranded: int) -> Verdict:
    """Check that every waiting row has a live worker; there is no error budget."""
    figure, met = (float(stranded), stranded == 0) if waiting else (None, None)
    return Verdict("waiting", "Rows without a worker", "rows", figure, 0, met, None, waiting, stranded)


def headline(verdicts: Iterable[Verdict], unfinished: Unfinished) -> str:
    """Return the first line of the report: stranded rows, else missed targets, else the overall result."""
    if unfinished.stranded:
        models = "" if not unfinished.any_live else f" for {', '.join(unfinished.stranded_models)}"
        reviews = "1 review waits" if unfinished.stranded == 1 else f"{unfinished.stranded:,} reviews wait"
        oldest = f"the oldest for {unfinished.stranded_seconds:.0f} s"
        return f"No worker{models} is live: {reviews}, {oldest}; they are kept"
    verdicts = list(verdicts)
    if missed := [each.title.lower() for each in verdicts if each.met is False]:
        return f"Missed: {', '.join(missed)}"
    return "No data for any target" if all_met(verdicts) is None else "Every target with data is met"


def all_met(verdicts: Iterable[Verdict]) -> bool | None:
    """Return whether every target with data is met; None if no target has data."""
    judged = [each.met for each in verdicts if each.met is not None]
    return all(judged) if judged else None


def _failures(name: str, title: str, counted: int, failed: int) -> Verdict:
    ratio = failed / counted if counted else None
    met, left = (None, None) if ratio is None else (ratio <= FAILURES, 1 - ratio / FAILURES)
    return Verdict(name, title, "ratio", ratio, FAILURES, met, left, counted, failed)


def _at_most(  # noqa: PLR0913, PLR0917  a target's fields
    name: str, title: str, unit: Literal["ratio", "ms"], figure: float | None, limit: float, counted: int
) -> Verdict:
    """Return a target without countable failures: its budget is the distance to the limit."""
    met, left = (None, None) if figure is None else (figure <= limit, 1 - figure / limit)
    return Verdict(name, title, unit, figure, limit, met, left, counted, None)


def _p95(measured: Measured) -> Verdict:
    """Return the target of the 95th percentile; its budget is the one review in 20 that may be slower."""
    figure, counted, slow = measured.p95_ms, measured.reviews, measured.reviews_slow
    met, left = (None, None) if figure is None or not counted else (figure <= P95_MS, 1 - slow / counted / SLOW)
    return Verdict("p95_latency", "95 % of results within", "ms", figure, P95_MS, met, left, counted, slow)


def _accuracy(counted: int, wrong: int) -> Verdict:
    figure = met = left = None  # with one feedback the share would be 0 or 100 %
    if counted >= LEAST_FEEDBACK:
        figure = (counted - wrong) / counted
        met, left = figure >= ACCURACY, (figure - ACCURACY) / (1 - ACCURACY)
    return Verdict("accuracy", "Accuracy by feedback", "ratio", figure, ACCURACY, met, left, counted, wrong, True)
