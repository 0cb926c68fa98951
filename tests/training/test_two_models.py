"""Two models side by side on real processes: the shipped one, and one that is trained here on 300 rows."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from benchmarks.common.processes import Part
from benchmarks.common.stack import Stack, running_stack
from settings import ROOT, WorkerSettings
from tests.conftest import wait_until
from tests.training.conftest import WORDS
from tests.training.test_any_labels import verdict

ROWS = 300
MINE = {"model": "mine"}
WAIT = {"prefer": "wait=20"}
START_SECONDS = 120.0

pytestmark = pytest.mark.timeout(400)  # a training and two workers' starts, on a machine that may be busy


def sentence(label: str, turn: int) -> str:
    return f"the film was {'very ' * (turn % 3)}{WORDS[label].split()[turn % 4]}"


@pytest.fixture(scope="module")
def models_dir(base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the workers find `default`, which ships, and `mine`, which is trained and exported."""
    shipped = WorkerSettings().model_directory()
    if not (shipped / "manifest.json").exists():
        pytest.skip("there is no model under models/; `verdict train` and `verdict export` make one")
    folder = tmp_path_factory.mktemp("two")
    with (folder / "moods.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        labels = list(WORDS)
        writer.writerows([sentence(labels[row % 3], row // 3), labels[row % 3]] for row in range(ROWS))
    recipe = {
        "data": str(folder / "moods.csv"),
        "base_model": str(base_model),
        "output": str(folder / "run"),
        "validation_size": 60,
        "max_tokens": 8,
        "batch_size": 8,
        "epochs": 4,
        "learning_rate": 3e-3,
        "evaluations": 1,
        "threads": 1,
        "freeze_embeddings": False,
    }
    (folder / "train.yaml").write_text(json.dumps(recipe), encoding="utf-8")
    verdict("train", "--config", str(folder / "train.yaml"))
    verdict("export", str(folder / "run"), str(folder / "models" / "mine" / "1"), "--threads", "1")
    (folder / "models" / "default").symlink_to(shipped.parent)
    return folder / "models"


@pytest.fixture(scope="module")
def stack(models_dir: Path) -> Iterator[Stack]:
    """`verdict run`, whose worker serves `default`."""
    with running_stack({"MODELS_DIR": str(models_dir), "MODEL": "default", "ADMIT_INTERACTIVE_SECONDS": "5"}) as stack:
        yield stack


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=40) as client:
        yield client


@contextmanager
def worker_of_mine(stack: Stack, models_dir: Path, client: httpx.Client) -> "Iterator[subprocess.Popen[bytes]]":
    """A second worker, of `mine`, from when it is ready until it has ended in order."""
    own = {"DATABASE_URL": stack.database_url, "REDIS_URL": stack.redis_url, "MODELS_DIR": str(models_dir)}
    command = [sys.executable, "-m", "worker.main"]
    with (stack.home / "mine.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **own, "MODEL": "mine"}, stdout=log, stderr=log, process_group=0
        )
    try:
        wait_until(lambda: is_ready(client, "mine"), START_SECONDS)
        yield process
    finally:
        end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Let it end in order, if it has not."""
    if process.poll() is None:
        process.terminate()
        process.wait(40)


@pytest.fixture(scope="module")
def mine(stack: Stack, models_dir: Path, client: httpx.Client) -> "Iterator[subprocess.Popen[bytes]]":
    with worker_of_mine(stack, models_dir, client) as process:
        yield process


@contextmanager
def frozen(group: int) -> Iterator[None]:
    os.killpg(group, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(group, signal.SIGCONT)


def is_ready(client: httpx.Client, model: str | None = None) -> bool:
    return client.get("/readyz", params={"model": model} if model else {}).status_code == 200


def results(client: httpx.Client, texts: list[str], **job: Any) -> list[dict[str, Any]]:
    """Results of a job whose end is waited for."""
    body = {"reviews": [{"text": text} for text in texts], **job}
    answer = client.post("/v1/jobs", json=body, headers=WAIT)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def served_by(rows: list[dict[str, Any]]) -> set[str]:
    return {row["model"]["name"] for row in rows}


def all_goes_on(client: httpx.Client, model: str) -> None:
    """Both lanes, admission and readiness of a model, while another is out of order."""
    assert is_ready(client, model)
    for turn in range(10):
        assert served_by(results(client, [f"a moving film, number {turn}"], model=model)) == {model}
    assert served_by(results(client, [f"bulk of {model} {row}" for row in range(40)], model=model)) == {model}


def test_each_job_is_answered_by_its_model(
    client: httpx.Client, stack: Stack, mine: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    assert mine.poll() is None
    texts = {sentence(label, 1): label for label in WORDS}
    rows = results(client, list(texts), model="mine")
    assert [row["sentiment"] for row in rows] == list(texts.values())
    assert served_by(rows) == {"mine"}
    for unnamed in (results(client, ["a moving film"]), results(client, ["a dull film"], model="default")):
        assert served_by(unnamed) == {"default"}
        assert set(unnamed[0]["probabilities"]) == {"negative", "positive"}
    bad = {"review_text": sentence("bad", 0)}
    assert client.post("/v1/classify", json=bad | MINE).json()["sentiment"] == "bad"
    assert client.post("/v1/classify", json=bad).json()["sentiment"] == "negative"
    table = ("text\n" + "".join(f"{sentence(label, row)}\n" for row in range(10) for label in WORDS)).encode()
    for how in (
        client.post("/v1/jobs", content=table, params=MINE, headers=WAIT | {"content-type": "text/csv"}),
        client.post("/v1/jobs", data=MINE, files={"file": ("t.csv", table)}, headers=WAIT),
    ):
        job = how.json()
        assert (how.status_code, job["model"], job["lane"]) == (200, "mine", "bulk"), how.text
        assert served_by(job["results"]) == {"mine"}
    (tmp_path / "t.csv").write_bytes(table)
    for command in (["classify", sentence("fair", 0)], ["submit", str(tmp_path / "t.csv"), "-o", str(tmp_path / "o")]):
        line = [sys.executable, "-m", "cli.main", *command, "--model", "mine", "--url", stack.url]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    written = csv.DictReader((tmp_path / "o").read_text().splitlines())
    assert [row["sentiment"] for row in written] == [row["sentiment"] for row in job["results"]]


def test_a_worker_that_stands_still_keeps_only_its_own_model_waiting(
    client: httpx.Client, stack: Stack, mine: "subprocess.Popen[bytes]"
) -> None:
    waiting = []
    with frozen(mine.pid):
        with psycopg.connect(stack.database_url) as connection:
            # As slow as it looks: more stands before its jobs than may.
            connection.execute(
                "UPDATE workers SET tokens_per_second = 0.1 FROM models"
                " WHERE models.id = model_id AND models.name = 'mine'"
            )
        for _ in range(20):
            answer = client.post("/v1/jobs", json={"reviews": [{"text": "the film was awful"}]} | MINE)
            if answer.status_code == 429:
                break
            waiting.append(answer.json()["id"])
        assert answer.status_code == 429, answer.text
        all_goes_on(client, "default")
        assert is_ready(client)
    for job in waiting:
        ended = client.get(f"/v1/jobs/{job}", params={"wait": 20}).json()
        assert (ended["status"], served_by(ended["results"])) == ("succeeded", {"mine"})


def test_the_model_of_jobs_that_name_none_may_stand_still_as_well(
    client: httpx.Client, stack: Stack, mine: "subprocess.Popen[bytes]"
) -> None:
    assert mine.poll() is None
    # The API remembers for a moment that the queue of `mine` was full.
    wait_until(lambda: client.post("/v1/jobs", json={"reviews": [{"text": "a film"}]} | MINE).status_code == 202)
    worker = stack.pids(Part.WORKER)[0]
    with frozen(os.getpgid(worker)):
        all_goes_on(client, "mine")
    wait_until(lambda: is_ready(client, "default"))
    all_goes_on(client, "default")


def test_a_model_whose_worker_has_ended_is_refused_and_the_other_is_not(
    client: httpx.Client, stack: Stack, models_dir: Path, mine: "subprocess.Popen[bytes]"
) -> None:
    end(mine)
    assert not is_ready(client, "mine")
    refused = client.post("/v1/jobs", json={"reviews": [{"text": "the film was awful"}]} | MINE)
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:verdict:no-worker")
    assert "these models are served: default" in refused.json()["detail"]
    all_goes_on(client, "default")
    assert is_ready(client)
    with worker_of_mine(stack, models_dir, client):
        all_goes_on(client, "mine")


def test_a_run_of_another_model_serves_it_whatever_was_loaded_before(models_dir: Path) -> None:
    """`MODEL=mine make run`, and then on a home where `default` was served once."""
    with running_stack({"MODELS_DIR": str(models_dir), "MODEL": "mine"}) as stack:
        assert "a worker of the model mine" in stack.log()
        with httpx.Client(base_url=stack.url, timeout=40) as client, psycopg.connect(stack.database_url) as store:
            for known in (["mine"], ["default", "mine"]):
                assert sorted(each["name"] for each in client.get("/v1/models").json()["data"]) == known
                assert is_ready(client)
                assert served_by(results(client, [sentence("good", 0)])) == {"mine"}
                assert (
                    client.post("/v1/classify", json={"review_text": sentence("bad", 1)}).json()["sentiment"] == "bad"
                )
                line = [sys.executable, "-m", "cli.main", "classify", sentence("fair", 0), "--url", stack.url]
                done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
                assert (done.returncode, "fair" in done.stdout) == (0, True), done.stderr
                store.execute(
                    "INSERT INTO models (name, version, precision, backend, labels, max_tokens, metrics)"
                    " SELECT 'default', version, precision, backend, labels, max_tokens, metrics FROM models"
                    " ON CONFLICT DO NOTHING"
                )
                store.commit()
