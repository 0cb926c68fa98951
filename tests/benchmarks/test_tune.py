"""The choice of `verdict tune`, and its settings read by `verdict run`."""

import os
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from benchmarks.classifier.tune import Setting, TuneTrial, best, made_up, shares
from cli.run import run
from cli.tune import tune as command
from inference.manifest import load_manifest
from verdict_cli.output import CommandError

SHIPPED = Path("models/default/1").absolute()


def trial(workers: int, rate: float, lone: float) -> TuneTrial:
    return TuneTrial(Setting(workers, 4 // workers, 1280), rate, lone, peak_memory=0)


def test_every_way_to_share_the_cores_is_tried() -> None:
    assert shares(1) == [1]
    assert shares(2) == [1, 2]
    assert shares(6) == [1, 2, 4]


def test_the_highest_rate_wins_unless_another_is_as_good_and_quicker_alone() -> None:
    one, two, four = trial(1, 50, 10), trial(2, 97, 20), trial(4, 100, 40)
    assert best([one, four]) is four
    assert best([one, two, four]) is two


def test_reviews_are_made_up_as_long_as_real_ones() -> None:
    lengths = [len(text.split()) for text in made_up(load_manifest(SHIPPED), 20)]
    assert (min(lengths), max(lengths)) == (62, 587)


def test_the_choice_is_written_beside_what_stands_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("benchmarks.classifier.tune.BUDGETS", (1280,))
    monkeypatch.setattr("benchmarks.classifier.tune.TEXTS", 10)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    (tmp_path / ".env").write_text("# ours\nPORT=8001\nWORKERS=7\n", encoding="utf-8")
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, [str(SHIPPED), "--seconds", "1", "--write"])
    assert result.exit_code == 0, result.output
    written = (tmp_path / ".env").read_text()
    assert written == "# ours\nPORT=8001\nWORKERS=1\nWORKER_THREADS=1\nMICRO_BATCH_TOKENS=1280\n"


def test_a_run_reads_the_file_where_the_environment_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PORT", "WORKERS"):
        monkeypatch.setenv(name, "1")  # so that the values of the file are undone
    monkeypatch.delenv("WORKERS")
    (tmp_path / ".env").write_text("PORT=70000\nWORKERS=none\n", encoding="utf-8")
    with pytest.raises(CommandError, match=r"^WORKERS: [^;]*$"):
        run()
