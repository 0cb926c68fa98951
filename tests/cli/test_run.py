"""`verdict run`: two starts on one home, a review in between, and no process left at the end."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import Signals

import httpx
import pytest

from local import embedded, home
from tests.cli.conftest import python
from tests.cli.test_commands import verdict


@contextmanager
def running(folder: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    """Run everything on `folder` until the block ends."""
    with python("-m", "cli.main", "run", VERDICT_HOME=str(folder), PORT=str(port)) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C stops everything" in line:
                break
        assert process.poll() is None, "".join(said)
        assert f"http://127.0.0.1:{port}" in "".join(said)
        try:
            yield process
        finally:
            process.send_signal(Signals.SIGINT)
            process.communicate(timeout=60)


def scrape(folder: Path) -> dict[str, str]:
    """Fetch the metrics of the targets that the run has written for Prometheus, by job."""
    found = {}
    for group in json.loads((folder / "prometheus.json").read_text()):
        for target in group["targets"]:
            found[group["labels"]["job"]] = httpx.get(f"http://{target}/metrics").text
    return found


@pytest.mark.timeout(300)
def test_a_review_is_classified_and_its_job_is_there_after_a_restart(tmp_path: Path) -> None:
    port = embedded.free_port()
    url = f"http://127.0.0.1:{port}"
    with running(tmp_path, port) as first:
        code, output = verdict("classify", "A wonderful film.", "Dull and far too long.", "--json", VERDICT_URL=url)
        assert code == 0, output
        job = json.loads(output)
        assert [result["sentiment"] for result in job["results"]] == ["positive", "negative"]
        metrics = scrape(tmp_path)
        assert set(metrics) == {"api", "worker", "maintenance"}
        assert 'verdict_results_total{lane="interactive",reason="",status="succeeded"} 2.0' in metrics["worker"]
        assert 'verdict_rows_submitted_total{lane="interactive",model="default"} 2.0' in metrics["api"]
        assert "verdict_worker_ready 1.0" in metrics["worker"]
        assert 'verdict_workers_live{model="default"} 1.0' in metrics["api"]
        assert 'verdict_model_info{backend="cascade",model="default",operating_point="balanced"' in metrics["worker"]
        assert [each for each in metrics.values() if "verdict_container_memory_limit_bytes" not in each] == []
    assert first.returncode == 0
    assert home.stop_leftovers(tmp_path) == 0
    assert not (tmp_path / "postgres" / "postmaster.pid").exists()

    with running(tmp_path, port):
        code, output = verdict("job", job["id"], "--url", url)
        assert (code, output.count("positive"), output.count("negative")) == (0, 1, 1), output
        code, output = verdict("job", "0", "--url", url)
        assert (code, output.count("\n")) == (2, 1), output
        code, output = verdict("run", VERDICT_HOME=str(tmp_path), PORT=str(embedded.free_port()))
        assert (code, output.count("\n")) == (2, 1), output
        assert f"`verdict run` already uses {tmp_path}" in output
