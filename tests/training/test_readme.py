"""The commands of docs/how-to/train.md, typed as they are, on small files with labels as people write them."""

import csv
import json
import re
import shlex
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")

import typer
import yaml
from typer.testing import CliRunner

from cli.evaluate import evaluate
from cli.train import train
from inference.manifest import load_manifest
from settings import ROOT
from tests.training.conftest import WORDS
from training.data.run_folder import RunRecord

ROWS = 200
SETS = {
    "words": {"bad": ["Negative", "negative", "NEG"], "fair": ["neutral", "Neu"], "good": ["Positive", "pos"]},
    "polarity": {"bad": ["-1"], "fair": ["0"], "good": ["1"]},
    "stars": {"bad": ["1", "2"], "fair": ["3"], "good": ["4", "5"]},
}
MEANT = {"bad": "negative", "fair": "neutral", "good": "positive"}
# The recipe's own steps with a base model of two layers, so that a test can take them.
TINY = ["max_tokens=8", "epochs=4", "batch_size=4", "train.learning_rate=3e-3", "threads=1", "bits=12", "dimensions=8"]


def commands() -> list[list[str]]:
    """The commands of the page's first block."""
    page = (ROOT / "docs/how-to/train.md").read_text()
    block = re.search(r"```sh\n(.*?)```", page, re.DOTALL)
    assert block
    return [shlex.split(line.removeprefix(".venv/bin/verdict ")) for line in block[1].strip().splitlines()]


def write(path: Path, labels: dict[str, list[str]], column: str) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["review", column])
        for turn in range(ROWS):
            kind = list(labels)[turn % 3]
            word = WORDS[kind].split()[turn % 4]
            writer.writerow([f"the film was {'very ' * (turn % 5)}{word}", labels[kind][turn % len(labels[kind])]])


@pytest.mark.parametrize("name", SETS)
def test_two_hundred_rows_become_a_model_with_the_right_labels(
    name: str, base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    column = "stars" if name == "stars" else "sentiment"
    for file in ("reviews.csv", "held-out.csv"):
        write(tmp_path / file, SETS[name], column)
    (tmp_path / "training").symlink_to(ROOT / "training")
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command("train")(train)
    app.command("evaluate")(evaluate)
    training, evaluation = commands()
    known = {key for step in yaml.safe_load(Path(training[2]).read_text())["steps"] for key in step}
    assert {"ngram", "train", "embedder", "export"} == known
    tiny = [f"-o{each}" for each in [*TINY, f"base_model={base_model}", "export.max_tokens=8"]]
    result = CliRunner().invoke(app, [*training, *tiny])
    assert result.exit_code == 0, (result.output, result.exception)
    record = RunRecord.read(Path("runs/mine/network"))
    assert record.labels == sorted(MEANT.values())
    assert record.rows["training"] + record.rows["validation"] == ROWS
    assert load_manifest(Path("models/mine/1")).labels == sorted(MEANT.values())
    result = CliRunner().invoke(app, [*evaluation, "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    assert json.loads(result.stdout)["scores"]["accuracy"] > 0.9
