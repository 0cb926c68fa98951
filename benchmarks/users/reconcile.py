"""Count the same events three times: by the load generator, by the metrics, and by SQL over the tables."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpx
import psycopg
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.users.recording import Recording
from benchmarks.users.target import Target

Counts = Mapping[str, float]  # the name of an event, such as "jobs bulk", and its number

UNCOUNTED = {"/livez", "/readyz", "/metrics"}  # probes, which the request log leaves out
SECONDS = 10.0
SHED = "shed"  # answers with status 429
# Metric → the name of its events and the labels that follow it; other labels are summed up.
COUNTERS = {
    "verdict_http_requests_total": ("requests", "method", "route", "status"),
    "verdict_jobs_submitted_total": ("jobs", "lane"),
    "verdict_rows_submitted_total": ("rows", "lane"),
    "verdict_results_total": ("results", "lane", "status"),
    "verdict_result_seconds_count": ("reviews judged", "lane"),
    "verdict_result_seconds_sum": ("seconds to result", "lane"),
    "verdict_shed_total": (SHED,),
}


def from_recording(recording: Recording) -> Counter[str]:
    """Return the counts of the load generator; a submission without an answer is left out, as its fate is unknown."""
    found: Counter[str] = Counter()
    for (method, route, status), count in recording.requests.items():
        found[f"requests {method} {route} {status}"] += count
        found[SHED] += count * (status == 429)
    for visit in recording.visits:
        if visit.accepted and visit.lane:
            found[f"jobs {visit.lane}"] += 1
            found[f"rows {visit.lane}"] += visit.rows
            found[f"results {visit.lane} succeeded"] += visit.succeeded
            found[f"results {visit.lane} failed"] += visit.failed
    return +found


def from_metrics(target: Target) -> Counter[str]:
    """Return the present counts of the metrics, summed over all processes.

    Raises:
        httpx.HTTPError: a process does not answer.
    """
    with httpx.Client(timeout=SECONDS) as client:
        pages = [client.get(url).raise_for_status().text for url in target.metrics_urls()]
    return from_samples(
        (sample.name, sample.labels, sample.value)
        for page in pages
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    )


def from_prometheus(prometheus: str) -> Counter[str]:
    """Return the present counts of the same metrics in a Prometheus."""
    query = f'{{__name__=~"{"|".join(COUNTERS)}"}}'
    answer = httpx.get(f"{prometheus.rstrip('/')}/api/v1/query", params={"query": query}, timeout=SECONDS)
    rows = answer.raise_for_status().json()["data"]["result"]
    return from_samples((row["metric"]["__name__"], row["metric"], float(row["value"][1])) for row in rows)


def from_samples(samples: Iterable[tuple[str, Mapping[str, str], float]]) -> Counter[str]:
    """Return the counts of samples, each with its name, labels and value."""
    found: Counter[str] = Counter()
    for name, labels, value in samples:
        if name in COUNTERS and labels.get("route") not in UNCOUNTED:
            event, *wanted = COUNTERS[name]
            found[" ".join([event, *(labels[label] for label in wanted)])] += value  # type: ignore[assignment]  # seconds too
    return found


_REQUESTS = "SELECT method, route, status, count(*) FROM request_log WHERE at >= %s GROUP BY 1, 2, 3"
# The reviews that an expired job had not classified are stored as cancelled.
_JOBS = """
SELECT lane, count(*), sum(total)::bigint, sum(succeeded)::bigint, sum(failed)::bigint,
       coalesce(sum(cancelled) FILTER (WHERE status <> 'expired'), 0)::bigint,
       coalesce(sum(cancelled) FILTER (WHERE status = 'expired'), 0)::bigint
FROM jobs WHERE created_at >= %s GROUP BY lane
"""
_JUDGED = """
SELECT jobs.lane, count(*) FROM reviews JOIN jobs ON jobs.id = reviews.job_id
WHERE jobs.created_at >= %s AND reviews.status = 'succeeded' GROUP BY jobs.lane
"""
_UNFINISHED = "SELECT count(*) FROM jobs WHERE created_at >= %s AND finished_at IS NULL"


def database_time(database_url: str) -> str:
    """Return the time of PostgreSQL's clock, from which on jobs and requests are counted."""
    with psycopg.connect(database_url) as store:
        [now] = store.execute("SELECT clock_timestamp()::text").fetchone() or [""]
        return str(now)


def from_tables(database_url: str, since: str) -> Counter[str]:
    """Return the counts of the tables since a time."""
    found: Counter[str] = Counter()
    with psycopg.connect(database_url) as store:
        for method, route, status, count in store.execute(_REQUESTS, [since]):
            found[f"requests {method} {route} {status}"] += count
            found[SHED] += count * (status == 429)
        for lane, jobs, rows, *ended in store.execute(_JOBS, [since]):
            found[f"jobs {lane}"], found[f"rows {lane}"] = jobs, rows
            for status, count in zip(("succeeded", "failed", "cancelled", "expired"), ended, strict=True):
                found[f"results {lane} {status}"] = count
        for lane, count in store.execute(_JUDGED, [since]):
            found[f"reviews judged {lane}"] = count
    return +found


def unfinished(database_url: str, since: str) -> int:
    """Return the number of jobs accepted after `since` that have not ended."""
    with psycopg.connect(database_url) as store:
        [count] = store.execute(_UNFINISHED, [since]).fetchone() or [0]
        return int(count)


@dataclass(frozen=True, slots=True)
class ReconciledLine:
    """The counts of one event; None where a side cannot know it."""

    what: str
    load: int | None
    metrics: int | None
    store: int | None

    @property
    def equal(self) -> bool:
        """Whether all known counts are equal."""
        return len({count for count in (self.load, self.metrics, self.store) if count is not None}) <= 1


def compare(load: Counts, metrics: Counts | None, store: Counts | None) -> list[ReconciledLine]:
    """Return a line for each event, sorted by name; a side that is absent is None in every line."""
    sides = (load, metrics or {}, store or {})
    events = sorted({event for side in sides for event in side if not event.startswith("seconds")})
    return [
        ReconciledLine(
            event,
            None if event.startswith("reviews judged") else int(load.get(event, 0)),
            None if metrics is None else round(metrics.get(event, 0)),
            None if store is None else int(store.get(event, 0)),
        )
        for event in events
    ]
