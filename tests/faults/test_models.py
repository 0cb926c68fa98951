"""A worker without a usable model exits at once with one line, even without a database."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from settings import ROOT, WorkerSettings


def _ended(models: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    env = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none", "REDIS_URL": "redis://127.0.0.1:9/0"}
    return subprocess.run(
        [sys.executable, "-m", "worker.main"],
        cwd=ROOT,
        env={**os.environ, **env, "MODELS_DIR": str(models)} | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_no_model(tmp_path: Path) -> None:
    ended = _ended(tmp_path)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"worker: There is no model in {tmp_path}")


def test_a_corrupt_model(tmp_path: Path) -> None:
    shipped = WorkerSettings().model_directory()
    if not (shipped / "manifest.json").exists():
        pytest.skip("there is no model under models/; `verdict train` and `verdict export` make one")
    copy = tmp_path / "default" / "1"
    shutil.copytree(shipped, copy)
    with (copy / "model.onnx").open("r+b") as file:
        file.seek(1000)
        file.write(b"?")
    ended = _ended(tmp_path)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert line.startswith("worker: The file model.onnx")
    assert "corrupt" in line


def test_a_model_under_another_name_than_its_own(tmp_path: Path) -> None:
    shipped = WorkerSettings().model_directory()
    if not (shipped / "manifest.json").exists():
        pytest.skip("there is no model under models/; `verdict train` and `verdict export` make one")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "1").symlink_to(shipped)
    ended = _ended(tmp_path, MODEL="mine")
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert "is named default in its manifest, but MODEL is mine" in line
