"""The same things counted three times: by the load generator, by the metrics, and by SQL over the tables.

Called by benchmarks.users.trial. A tally maps what is counted, in words, to how often it was seen.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpx
import psycopg
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.users.recording import Recording
from benchmarks.users.target import Target

Tally = Mapping[str, float]

UNCOUNTED = {"/livez", "/readyz", "/metrics"}  # asked by machines; the request log has none of them
SECONDS = 10.0
SHED = "shed"  # every answer 429 is one
# Counters by the words that they are told with; the labels follow, and what they do not name is summed up.
COUNTERS = {
    "verdict_http_requests_total": ("requests", "method", "route", "status"),
    "verdict_jobs_submitted_total": ("jobs", "lane"),
    "verdict_rows_submitted_total": ("rows", "lane"),
    "verdict_results_total": ("results", "lane", "status"),
    "verdict_result_seconds_count": ("reviews judged", "lane"),
    "verdict_result_seconds_sum": ("seconds to result", "lane"),
    "verdict_shed_total": (SHED,),
}


def seen(recording: Recording) -> Counter[str]:
    """What the load generator saw of it. A submission without an answer counts nowhere: who knows what became of it."""
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


def measured(target: Target) -> Counter[str]:
    """What the processes' own metrics say now, summed over them.

    Raises:
        httpx.HTTPError: one of them does not answer.
    """
    with httpx.Client(timeout=SECONDS) as client:
        pages = [client.get(url).raise_for_status().text for url in target.metrics_urls()]
    return tally(
        (sample.name, sample.labels, sample.value)
        for page in pages
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    )


def scraped(prometheus: str) -> Counter[str]:
    """What a real Prometheus says now of the same."""
    query = f'{{__name__=~"{"|".join(COUNTERS)}"}}'
    answer = httpx.get(f"{prometheus.rstrip('/')}/api/v1/query", params={"query": query}, timeout=SECONDS)
    rows = answer.raise_for_status().json()["data"]["result"]
    return tally((row["metric"]["__name__"], row["metric"], float(row["value"][1])) for row in rows)


def tally(samples: Iterable[tuple[str, Mapping[str, str], float]]) -> Counter[str]:
    """Name, labels and value of samples, as counts."""
    found: Counter[str] = Counter()
    for name, labels, value in samples:
        if name in COUNTERS and labels.get("route") not in UNCOUNTED:
            words, *wanted = COUNTERS[name]
            found[" ".join([words, *(labels[label] for label in wanted)])] += value  # type: ignore[assignment]  # seconds too
    return found


_REQUESTS = "SELECT method, route, status, count(*) FROM request_log WHERE at >= %s GROUP BY 1, 2, 3"
# Of an expired job, what it had not judged is counted as expired.
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


def store_time(database_url: str) -> str:
    """The store's clock; jobs and requests after it are ours."""
    with psycopg.connect(database_url) as store:
        [now] = store.execute("SELECT clock_timestamp()::text").fetchone() or [""]
        return str(now)


def stored(database_url: str, since: str) -> Counter[str]:
    """What the tables say of all that came after `since`."""
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
    """Jobs that were accepted after `since` and have not ended."""
    with psycopg.connect(database_url) as store:
        [count] = store.execute(_UNFINISHED, [since]).fetchone() or [0]
        return int(count)


@dataclass(frozen=True, slots=True)
class ReconciledLine:
    """One thing that was counted; None where that side cannot know it."""

    what: str
    load: int | None
    metrics: int | None
    store: int | None

    @property
    def equal(self) -> bool:
        """Whether all who know say the same."""
        return len({count for count in (self.load, self.metrics, self.store) if count is not None}) <= 1


def compare(load: Tally, metrics: Tally | None, store: Tally | None) -> list[ReconciledLine]:
    """Line by line, in the order of the words; a side that is absent as a whole is None in all of them."""
    sides = (load, metrics or {}, store or {})
    whats = sorted({what for side in sides for what in side if not what.startswith("seconds")})
    return [
        ReconciledLine(
            what,
            None if what.startswith("reviews judged") else int(load.get(what, 0)),
            None if metrics is None else round(metrics.get(what, 0)),
            None if store is None else int(store.get(what, 0)),
        )
        for what in whats
    ]
