"""`verdict submit`, `job --follow` and `export-results` with a real service: a file in, a file out."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from db.engine import Engine, transaction
from settings import ApiSettings, DatabaseSettings, QueueSettings
from tests.cli.conftest import ROOT
from tests.client.wire import answer, scripted
from tests.conftest import register_fake, serving
from tests.db import steps
from tests.fakes import POISON, expected_sentiment
from verdict import Client
from verdict_cli.follow import follow
from verdict_cli.output import CommandError

WaitFor = Callable[[Callable[[], object]], None]

TEXTS = ["good, I\nsay", "bad", "good, I\nsay", "=1+1"]
SECONDS = 60


@contextmanager
def started(*argv: str, **env: str) -> "Iterator[subprocess.Popen[str]]":
    """Start the command with separate stdout and stderr; kill it at the end of the block."""
    environment = {"PATH": "/usr/bin:/bin", "COLUMNS": "200", **env}
    command = [sys.executable, "-m", "cli.main", *argv]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def verdict(*argv: str, stdin: str | None = None, **env: str) -> tuple[int, str, str]:
    """Return exit code, stdout and stderr of the command."""
    with started(*argv, **env) as process:
        out, err = process.communicate(stdin, timeout=SECONDS)
    return process.returncode, out, err


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """Write four reviews, two of them equal."""
    path = tmp_path / "reviews.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "review", "sentiment"])
        writer.writerows([str(place), text, expected_sentiment(text)] for place, text in enumerate(TEXTS))
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "results.csv"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("worker")
def test_a_file_comes_back_with_its_results(url: str, reviews: Path, out: Path) -> None:
    code, said, err = verdict("submit", str(reviews), "-o", str(out), "--keep-formulas", "--url", url)
    assert code == 0, err
    found = rows(out)
    assert [each["review"] for each in found] == TEXTS
    assert [each["verdict_sentiment"] for each in found] == [expected_sentiment(text) for text in TEXTS]
    assert {each["status"] for each in found} == {"succeeded"}
    assert "4 rows: 4 succeeded" in said
    assert "accuracy 1.0000, macro F1 1.0000" in said
    assert sorted(each.name for each in out.parent.iterdir()) == ["results.csv", "reviews.csv"]


@pytest.mark.usefixtures("worker")
def test_formulas_are_neutralised(url: str, reviews: Path, out: Path) -> None:
    code, _, err = verdict("submit", str(reviews), "-o", str(out), "--url", url)
    assert code == 0, err
    assert rows(out)[3]["review"] == "'=1+1"


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("command", ["submit", "export-results"])
def test_results_begin_with_a_byte_order_mark_on_request(url: str, reviews: Path, out: Path, command: str) -> None:
    what = str(reviews)
    if command == "export-results":
        with Client(url) as client:
            what = client.wait(client.submit_file(reviews)).id
    code, _, err = verdict(command, what, "-o", str(out), "--bom", "--url", url)
    assert code == 0, err
    assert out.read_bytes()[:3] == b"\xef\xbb\xbf"
    code, _, err = verdict(command, what, "-o", str(out.with_suffix(".ndjson")), "--bom", "--url", url)
    assert (code, "--bom goes with CSV results" in " ".join(err.split())) == (2, True)


@pytest.mark.usefixtures("worker")
def test_stdin_comes_back_on_stdout_with_nothing_between(url: str, reviews: Path) -> None:
    code, said, err = verdict("submit", "-", "-o", "-", "--url", url, stdin=reviews.read_text())
    assert code == 0, err
    assert len(list(csv.DictReader(said.splitlines(keepends=True)))) == len(TEXTS)
    assert "4 rows: 4 succeeded" in err


@pytest.mark.usefixtures("worker")
def test_json_has_the_whole_job(url: str, reviews: Path) -> None:
    code, said, err = verdict("submit", str(reviews), "--json", "--url", url)
    assert code == 0, err
    assert json.loads(said)["counts"]["succeeded"] == len(TEXTS)


@pytest.mark.usefixtures("worker")
def test_rows_that_fail_do_not_fail_the_command_but_a_job_without_any_result_does(url: str, tmp_path: Path) -> None:
    (tmp_path / "some.csv").write_text(f"text\ngood\n{POISON}\n")
    (tmp_path / "none.csv").write_text(f"text\n{POISON}\n")
    assert verdict("submit", str(tmp_path / "some.csv"), "--url", url)[0] == 0
    assert verdict("submit", str(tmp_path / "none.csv"), "--url", url)[0] == 1


def test_ctrl_c_leaves_the_job_and_names_the_command_that_follows_it(  # noqa: PLR0917  fixtures
    url: str, client: httpx.Client, reviews: Path, out: Path, wait_for: WaitFor, drain: Callable[[], None]
) -> None:
    with started("submit", str(reviews), "-o", str(out), "--url", url) as process:
        wait_for(lambda: client.get("/v1/jobs").json()["data"])
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=SECONDS)
    [job] = client.get("/v1/jobs").json()["data"]
    command = f"verdict job {job['id']} --follow -o {out} --url {url}"
    assert (process.returncode, err.count("\n")) == (130, 1), err
    assert err == f"interrupted; the job goes on, follow it with: {command}\n"

    drain()
    code, said, err = verdict(*command.split()[1:])
    assert code == 0, err
    assert f"{job['id']}: succeeded" in said
    assert len(rows(out)) == len(TEXTS)


def test_ctrl_c_during_the_upload_says_that_nothing_was_accepted(
    url: str, client: httpx.Client, tmp_path: Path
) -> None:
    pipe = tmp_path / "reviews.csv"
    os.mkfifo(pipe)
    with started("submit", str(pipe), "--url", url) as process, pipe.open("wb"):  # opens once the command reads
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (130, "interrupted; nothing was accepted\n")
    assert client.get("/v1/jobs").json()["data"] == []


def test_without_waiting_the_id_is_printed(url: str, reviews: Path) -> None:
    code, said, err = verdict("submit", str(reviews), "--no-wait", "--url", url)
    assert code == 0, err
    assert f"verdict job {said.strip()} --follow --url {url}" in err
    code, said, err = verdict("job", said.strip(), "--url", url)
    assert code == 0, err
    assert "queued" in said


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("name", ["results.csv", "results.ndjson", "results.parquet"])
def test_results_are_exported_again_as_the_name_says(url: str, reviews: Path, tmp_path: Path, name: str) -> None:
    code, said, err = verdict("submit", str(reviews), "--json", "--url", url)
    assert code == 0, err
    job = json.loads(said)["id"]
    code, _, err = verdict("export-results", job, "-o", str(tmp_path / name), "--url", url)
    assert code == 0, err
    begins = {"results.csv": b"id,review,", "results.ndjson": b'{"', "results.parquet": b"PAR1"}
    assert (tmp_path / name).read_bytes().startswith(begins[name])


@pytest.mark.usefixtures("worker")
def test_failed_rows_are_exported_alone(url: str, tmp_path: Path, out: Path) -> None:
    (tmp_path / "some.csv").write_text(f"text\ngood\n{POISON}\n")
    _, said, _ = verdict("submit", str(tmp_path / "some.csv"), "--json", "--url", url)
    job = json.loads(said)["id"]
    code, _, err = verdict("export-results", job, "-o", str(out), "--status", "failed", "--url", url)
    assert code == 0, err
    assert [each["text"] for each in rows(out)] == [POISON]


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("results.csv", "results.csv exists already; --force replaces it"),
        ("none/results.csv", "none is not there"),
        ("results.csv/results.csv", "results.csv is no folder"),
        (".", "is a folder"),
    ],
)
@pytest.mark.parametrize("command", [["submit", "reviews.csv"], ["job", "1", "--follow"], ["export-results", "1"]])
def test_an_output_that_cannot_be_written_is_refused_before_anything_is_sent(
    reviews: Path, out: Path, command: list[str], output: str, said: str
) -> None:
    out.write_text("mine")
    argv = [str(reviews) if word == "reviews.csv" else word for word in command]
    with scripted(answer(500)) as (url, asked):
        code, _, err = verdict(*argv, "-o", str(out.parent / output), "--url", url)
    assert (code, err.count("\n")) == (2, 1), err
    assert said in err
    assert asked == []
    assert out.read_text() == "mine"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["submit", "no-such.csv"], "no-such.csv: No such file or directory"),
        (["submit", "reviews.dat"], "add --format csv or --format ndjson"),
        (["submit", "-", "--json", "-o", "-"], "--json and -o - would both write to stdout"),
        (["submit", "-", "--local"], "--local writes CSV to the file that -o names"),
        (["submit", "-", "--local", "--no-wait"], "--json and --no-wait need a service"),
        (["job", "1", "-o", "results.csv"], "-o needs --follow"),
        (["job", "1", "--follow", "--json", "-o", "-"], "--json and -o - would both write to stdout"),
        (["export-results", "0", "-o", "-"], "Not Found: There is no such job."),
    ],
)
def test_wrong_use_is_one_line(argv: list[str], said: str) -> None:
    problem = '{"title": "Not Found", "detail": "There is no such job."}'
    with scripted(answer(404, problem)) as (url, _):
        code, _, err = verdict(*argv, "--url", url)
    assert (code, err.count("\n")) == (2, 1), err
    assert said in err


def test_a_refused_file_is_one_line(url: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("width,length\n1,2\n")
    code, _, err = verdict("submit", str(tmp_path / "table.csv"), "--url", url)
    assert (code, err.count("\n")) == (2, 1), err
    assert "length" in err


def test_an_unreachable_service_leaves_the_command_that_follows_the_job(url: str, reviews: Path) -> None:
    with Client(url) as client:
        job = client.submit_file(reviews)
    with scripted(b"") as (away, _), Client(away, retry_seconds=0) as client, pytest.raises(CommandError) as error:
        follow(client, job, None, away, as_json=False)
    assert str(error.value).endswith(
        f"; the job is kept, follow it with: verdict-client job {job.id} --follow --url {away}"
    )


@pytest.mark.usefixtures("worker")
def test_a_terminal_sees_a_bar(url: str, reviews: Path) -> None:
    code, _, err = verdict("submit", str(reviews), "--url", url, FORCE_COLOR="1")
    assert code == 0, err
    assert "uploading" in err
    assert "4 of 4 rows" in err


@pytest.fixture
def lenient(database: DatabaseSettings, queue: QueueSettings, engine: Engine) -> Iterator[str]:
    """Serve an API that accepts jobs for `mine`, a registered model without a live worker."""
    with transaction(engine) as connection:
        register_fake(connection, "mine")
    with serving(ApiSettings(accept_without_worker=True), database, queue) as url:
        yield url


WARNING = "No live worker serves the model mine; the job is kept and waits until one does."


def test_a_job_that_waits_for_a_worker_says_so(lenient: str, reviews: Path, engine: Engine, wait_for: WaitFor) -> None:
    code, said, err = verdict("submit", str(reviews), "--no-wait", "--model", "mine", "--url", lenient)
    assert (code, WARNING in err) == (0, True), err
    assert WARNING in verdict("job", said.strip(), "--url", lenient)[1]
    with started("submit", str(reviews), "--url", lenient) as following:
        wait_for(lambda: len(steps.rows(engine, "SELECT FROM jobs WHERE model = 'mine'")) == 2)
        assert following.stderr is not None
        assert WARNING in following.stderr.readline()


def test_a_model_that_nobody_serves_is_one_line(url: str, reviews: Path) -> None:
    for command in (["submit", str(reviews)], ["classify", "good"]):
        code, _, err = verdict(*command, "--model", "nothing", "--url", url)
        assert (code, err.count("\n")) == (2, 1), err
        assert "is not one of the models that are served: default" in err


def test_a_model_can_be_named_for_this_process_too(reviews: Path, out: Path, tmp_path: Path) -> None:
    code, _, err = verdict(
        *("submit", str(reviews), "--local", "--model", "mine", "-o", str(out)), MODELS_DIR=str(tmp_path)
    )
    assert (code, err) == (2, f"error: There is no model in {tmp_path}/mine: manifest.json is missing.\n")
