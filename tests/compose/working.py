"""The steps with running containers, in order: answers, files, scale, faults, counts."""

import csv
import io
import json
import random
import re

import httpx

from benchmarks.common.http_client import FINAL
from benchmarks.common.review_texts import generated
from tests.compose.engine import NAME, Project, inspect, run, wait_until
from tests.compose.outcome import Outcome
from tests.compose.starting import READY_SECONDS, is_ready
from tests.compose.traffic import Traffic, ended

CSV_ROWS = 200
BULK_ROWS, BULK_WORDS = 2000, 100
ROWS_BETWEEN = 60  # accepted between two faults
OPEN = "SELECT count(*) FROM jobs WHERE status IN ('queued', 'processing', 'paused')"
COUNTS = """
SELECT count(*), coalesce(sum(total), 0), coalesce(sum(succeeded), 0), coalesce(sum(failed + cancelled), 0),
       (SELECT coalesce(sum(copies), 0) FROM reviews WHERE status = 'succeeded'), (SELECT count(*) FROM leases)
FROM jobs
"""


def answers(client: httpx.Client) -> Outcome:
    """Classify one review by each endpoint, and open the pages."""
    outcome = Outcome("a review classified, pages shown")
    for page in ("/", "/docs", "/v1/models", "/v1/sla?window=1h"):
        status = client.get(page).status_code
        outcome.expect(status == 200, f"{page} answers {status}")
    answer = client.post("/v1/classify", json={"review_text": "A warm, funny and beautifully acted film."})
    answer.raise_for_status()
    outcome.figures |= {name: answer.json()[name] for name in ("sentiment", "confidence")}
    outcome.expect(answer.json()["sentiment"] == "positive", f"it says {answer.json()}")
    return outcome


def takes_a_file(client: httpx.Client) -> Outcome:
    """Upload a CSV file, and download it as CSV and Parquet."""
    outcome, table = Outcome(f"a CSV of {CSV_ROWS} rows, in and out"), io.StringIO()
    rows = [[str(n), f'Scene {n} is "{"warm" if n % 2 else "dull"}",\nand long.', f"film {n}"] for n in range(CSV_ROWS)]
    csv.writer(table).writerows([["id", "review", "film"], *rows])
    sent = client.post("/v1/jobs", content=table.getvalue().encode(), headers={"Content-Type": "text/csv"})
    job = ended(client, sent.raise_for_status().json()["id"])
    outcome.expect(job["counts"]["succeeded"] == CSV_ROWS, f"it ended as {job['status']} {job['counts']}")
    results = client.get(job["urls"]["results"], params={"format": "csv"}).raise_for_status()
    found = list(csv.reader(io.StringIO(results.text)))[1:]
    outcome.expect([row[:3] for row in found] == rows, "the rows differ from those that were sent")
    outcome.expect(all(row[3] in {"positive", "negative"} for row in found), "rows without a sentiment")
    parquet = client.get(job["urls"]["results"], params={"format": "parquet"}).raise_for_status().content
    outcome.expect(parquet[:4] == parquet[-4:] == b"PAR1", "no Parquet file")
    return outcome


def scales(project: Project, client: httpx.Client, workers: int) -> Outcome:
    """Add workers while the others run."""
    outcome = Outcome(f"scaled to {workers} workers")
    project.compose(
        "up", "--detach", "--no-build", "--no-deps", "--no-recreate", "--scale", f"worker={workers}", "worker"
    )
    wait_until(lambda: live_workers(client) == workers, f"{workers} workers are live", READY_SECONDS)
    outcome.figures["live workers"] = live_workers(client)
    return outcome


def live_workers(client: httpx.Client) -> int:
    """Return the number of live workers by the API."""
    found = re.search(r'^verdict_workers_live{model="default"} (\S+)$', client.get("/metrics").text, re.MULTILINE)
    return int(float(found[1])) if found and found[1] != "NaN" else 0


def bulk_begins(client: httpx.Client) -> Outcome:
    """Upload a longer file, which is processed during the faults."""
    outcome, draw = Outcome(f"a bulk job of {BULK_ROWS} rows begun"), random.Random(0)
    lines = [f'"{generated(draw, BULK_WORDS)} {number}"' for number in range(BULK_ROWS)]
    sent = client.post("/v1/jobs", content="\n".join(["review", *lines]).encode(), headers={"Content-Type": "text/csv"})
    outcome.expect(sent.status_code == 202, f"it was answered with {sent.status_code}: {sent.text[:200]}")
    return outcome


def worker_is_killed(project: Project, client: httpx.Client, traffic: Traffic) -> Outcome:
    """Kill every process of one worker: the engine restarts it, and no client notices."""
    outcome, container = Outcome("a worker killed under load"), project.containers("worker")[0]
    before = inspect(container)["RestartCount"]
    _more(traffic)
    # After `docker kill` the engine would not restart the container.
    run("docker", "exec", container, "sh", "-c", "kill -9 -1")
    wait_until(lambda: inspect(container)["RestartCount"] > before, "the engine starts the worker again")
    wait_until(lambda: inspect(container)["State"]["Running"], "the worker runs again")
    wait_until(lambda: live_workers(client) >= 2, "two workers are live again", READY_SECONDS)
    _more(traffic)
    return outcome


def server_is_restarted(project: Project, client: httpx.Client, traffic: Traffic, service: str) -> Outcome:
    """Stop and start Redis or PostgreSQL while jobs come in."""
    outcome = Outcome(f"{service} restarted under load")
    _more(traffic)
    before = dict(traffic.answers)
    project.compose("restart", service)
    _more(traffic)
    wait_until(lambda: is_ready(client), "ready again")
    outcome.figures["answers meanwhile"] = {
        status: count - before.get(status, 0)
        for status, count in traffic.answers.items()
        if count > before.get(status, 0)
    }
    return outcome


def _more(traffic: Traffic) -> None:
    wanted = traffic.rows + ROWS_BETWEEN
    wait_until(lambda: traffic.rows >= wanted, f"{ROWS_BETWEEN} more rows are accepted", 90)


def memory_is_within_limits(project: Project) -> Outcome:
    """Expect that no container comes near its memory limit."""
    outcome = Outcome("memory after the load, of its limit")
    ids = [container for service in sorted(project.config()) for container in project.containers(service)]
    form = '{"name": "{{.Name}}", "used": "{{.MemUsage}}", "percent": "{{.MemPerc}}"}'
    for line in run("docker", "stats", "--no-stream", "--format", form, *ids).splitlines():
        found = json.loads(line)
        name = re.sub(f"^{NAME}[-_]", "", found["name"])
        outcome.figures[name] = found["used"]
        outcome.expect(float(found["percent"].rstrip("%")) < 85, f"{name} uses {found['used']}")
    return outcome


def counts_agree(project: Project, client: httpx.Client, traffic: Traffic, others: int) -> Outcome:
    """Expect that accepted and completed jobs agree, by the API and by the tables; `others` counts earlier jobs."""
    outcome = Outcome("accepted == answered")
    wait_until(lambda: project.sql(OPEN) == ["0"], "every job has ended", READY_SECONDS)
    jobs = [ended(client, job_id) for job_id in sorted(traffic.accepted)]
    bad = [job for job in jobs if job["status"] not in FINAL or job["counts"]["succeeded"] != job["counts"]["total"]]
    outcome.expect(not bad, f"{len(bad)} jobs did not succeed, such as {bad[:1]}")
    outcome.expect(not traffic.lost, f"{len(traffic.lost)} submissions were never accepted")
    total, rows, succeeded, failed, stored, leases = (int(cell) for cell in project.sql(COUNTS)[0].split("|"))
    outcome.figures |= {"jobs accepted": len(traffic.accepted), "rows accepted": traffic.rows}
    outcome.figures |= {"rows answered (API)": sum(job["counts"]["succeeded"] for job in jobs)}
    outcome.figures |= {
        "all jobs, rows, results in SQL": f"{total}, {rows}, {stored}",
        "answers": dict(traffic.answers),
    }
    outcome.expect(total == len(traffic.accepted) + others, f"{total} jobs in the store")
    outcome.expect(rows == succeeded == stored, f"{rows} rows, {succeeded} succeeded, {stored} results")
    outcome.expect(failed == 0 and leases == 0, f"{failed} rows failed or cancelled, {leases} leases left")
    return outcome
