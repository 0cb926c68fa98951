"""`verdict upload`: the real client of the hub against a server on loopback."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub", reason="the training extra is not installed: make test")

from tests.training.fake_hub import TOKEN, FakeHub, running

MODEL = Path("models/default/1")
UPLOAD = "import typer; from cli.upload import upload; typer.run(upload)"


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with running() as server:
        yield server


def upload(url: str, *arguments: str, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
    # The client's settings are read when it is imported; large files go by LFS, as one HTTP server can stand for that.
    own = {"HF_ENDPOINT": url, "HF_TOKEN": token, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return subprocess.run(
        [sys.executable, "-c", UPLOAD, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **own},
    )


def test_a_model_folder_arrives_as_one_commit(hub: FakeHub, tmp_path: Path) -> None:
    folder = tmp_path / "moods"
    shutil.copytree(MODEL, folder)
    (folder / "checkpoints" / "checkpoint-1").mkdir(parents=True)
    (folder / "checkpoints" / "checkpoint-1" / "optimizer.pt").write_text("large")
    (folder / "train.log").write_text("of this machine")
    done = upload(hub.url, str(folder), "acme/moods", "--message", "First")
    assert (done.returncode, done.stdout) == (0, f"{hub.url}/acme/moods\n"), done.stderr
    assert [(each["organization"], each["name"], each.get("private", True)) for each in hub.repositories] == [
        ("acme", "moods", True)
    ]
    assert hub.commits == ["First"]
    expected = {path.name: path.read_bytes() for path in MODEL.iterdir()}
    assert {path: content for path, content in hub.files.items() if path != ".gitattributes"} == expected


def test_mistakes_of_an_upload_get_one_line(hub: FakeHub, tmp_path: Path) -> None:
    cases = {
        "refused the upload": upload(hub.url, str(MODEL), "acme/moods", token="hf_wrong"),
        "cannot be reached": upload("http://127.0.0.1:9", str(MODEL), "acme/moods"),
        "no name of a repository": upload(hub.url, str(MODEL), "a/b/c d"),
        "neither a model folder": upload(hub.url, str(tmp_path), "acme/moods"),
    }
    for said, done in cases.items():
        assert said in done.stderr
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert hub.files == {}
