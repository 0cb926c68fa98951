"""Data outlives the containers, and a dump outlives the data; backup and restore run the commands of the runbook."""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import httpx

from settings import ROOT
from tests.compose.engine import Project, wait_until
from tests.compose.outcome import Outcome
from tests.compose.starting import READY_SECONDS, is_ready
from tests.compose.traffic import Traffic
from tests.compose.working import COUNTS, answers

RUNBOOK = ROOT / "docs" / "operations.md"


def data_is_kept(project: Project, client: httpx.Client, traffic: Traffic) -> Outcome:
    """Take everything down and up: every job is kept, and jobs are processed."""
    outcome, before = Outcome("down and up, data kept"), project.sql(COUNTS)
    project.compose("down")
    outcome.expect(not project.containers("postgres"), "PostgreSQL still runs")
    project.compose("up", "--detach", "--no-build")
    _expect_all(outcome, before, project, client, traffic)
    return outcome


def dump_is_restored(project: Project, client: httpx.Client, traffic: Traffic) -> Outcome:
    """Lose every job and restore a dump."""
    outcome, before = Outcome("dump, loss, restore, as typed in the runbook"), project.sql(COUNTS)
    with tempfile.TemporaryDirectory(prefix="verdict-dump-") as folder:
        project.typed(of_the_runbook("Backup"), Path(folder))
        outcome.figures["verdict.dump, kB"] = (Path(folder) / "verdict.dump").stat().st_size // 1000
        project.sql("TRUNCATE jobs CASCADE")
        outcome.expect(project.sql(COUNTS) != before, "nothing was lost")
        project.typed(of_the_runbook("Restore"), Path(folder))
    _expect_all(outcome, before, project, client, traffic)
    return outcome


def _expect_all(
    outcome: Outcome, before: Sequence[str], project: Project, client: httpx.Client, traffic: Traffic
) -> None:
    """Expect the counts and the results of `before`, and that jobs are processed."""
    wait_until(lambda: is_ready(client), "/readyz says ready", READY_SECONDS)
    after = project.sql(COUNTS)
    outcome.expect(before == after, f"before {before}, after {after}")
    job = client.get(f"/v1/jobs/{min(traffic.accepted)}").raise_for_status().json()
    outcome.expect(all(each["sentiment"] for each in job["results"]), "a job has lost its results")
    outcome.figures["jobs, rows, …"] = after[0]
    outcome.wrong += answers(client).wrong


def of_the_runbook(section: str) -> str:
    """Return the commands for Compose in a section of the runbook."""
    text = RUNBOOK.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    blocks: list[str] = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    (block,) = [each for each in blocks if each.startswith("docker compose")]
    return block
