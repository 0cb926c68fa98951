"""Samples, arithmetic, tables and plots of the benchmark on figures made by hand; its processes on a real model."""

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from benchmarks.classifier.benchmark import Benchmark, BenchmarkRequest, MeasuredRung, rounds
from benchmarks.classifier.benchmark_report import fill, tables, write_json
from benchmarks.classifier.frontier import frontier, groups, settled_at, stages
from benchmarks.classifier.ladder import INT8, rungs
from benchmarks.classifier.robustness import load_kinds
from benchmarks.classifier.rungs import Rung, RungAnswers, measure
from benchmarks.classifier.team import Team
from benchmarks.classifier.tune import made_up
from cli.benchmark import benchmark as command
from inference.cascade import join, settled_alone
from inference.classifier import softmax
from inference.loading import load_classifier
from inference.manifest import Manifest, load_manifest
from inference.stages import FULL, Cascade
from tests.conftest import WAIT_SECONDS
from training.data.reviews import Reviews
from training.evaluate import classify, probabilities

SHIPPED = Path("models/default/1")
TWO_STAGES = Path("models/default/3")
TEXTS = ["A superb, moving film.", "Dull.", "I laughed and I cried, and I left happy.", "A mess.", "Great, but bad."]
TRUTH = [1, 0, 1, 0, 0]
# The first stage is sure of the first two reviews; it errs on the last two, the network on the fourth only.
FIRST = np.array([[0.01, 0.99], [0.95, 0.05], [0.4, 0.6], [0.3, 0.7], [0.45, 0.55]])
TOKENS = np.array([7, 4, 12, 5, 6])
BOTH = np.array([[0.1, 0.9], [0.9, 0.1], [0.1, 0.9], [0.4, 0.6], [0.9, 0.1]])


def rung(**changes: Any) -> Rung:
    values: dict[str, Any] = {"key": "r", "title": "a rung", "backend": "served", "model": SHIPPED, "files": SHIPPED}
    return Rung(**values | {"threads": 1} | changes)


@pytest.fixture(scope="module")
def found() -> Benchmark:
    """Return a run of five reviews: a forward pass takes a second, all other work a tenth for each review."""
    points = {"fast": 0.58, "balanced": 0.65, "accurate": 0.9}
    weights = {"network_weight": 0.5, "ngram_weight": 0.5, "bias": [0.0, 0.0]}
    cascade = Cascade.model_validate({"ngrams": "ngrams.npz", **weights, "points": points, "default": "balanced"})
    return _run(load_manifest(SHIPPED).model_copy(update={"cascade": cascade}))


def _run(manifest: Manifest) -> Benchmark:
    request = BenchmarkRequest(SHIPPED, Reviews(TEXTS, TRUTH, manifest.labels, [], 0), "ours", None, threads=1)
    ladder = {each.key: _measured(each, manifest) for each in rungs(SHIPPED, manifest, None, 1, Path())}
    kinds = load_kinds(manifest.labels)
    asked = {"int8", FULL, "balanced"} & set(ladder)
    tried = {kind.name: {key: _answers(len(kind.labels)) for key in asked} for kind in kinds}
    return Benchmark(manifest, request, ladder, kinds, tried)


def _measured(rung: Rung, manifest: Manifest) -> MeasuredRung:
    cascade = manifest.cascade
    threshold = cascade.threshold(rung.point) if cascade and rung.backend == "served" else np.inf
    settled = (FIRST.max(axis=1) >= threshold) & ((cascade.settle_from if cascade else 0) <= TOKENS)
    probabilities = np.where(settled[:, None], FIRST, BOTH)
    answers = RungAnswers(probabilities, np.log(FIRST), settled, np.where(settled, 0.0, 1.0), TOKENS)
    return MeasuredRung(rung, answers, [3, 2], [0.3 + 3 - settled[:3].sum(), 0.2 + 2 - settled[3:].sum()], 2**20)


def _answers(count: int) -> RungAnswers:
    rows = np.tile([0.2, 0.8], (count, 1))
    return RungAnswers(rows, np.log(rows), np.zeros(count, dtype=np.bool_), np.zeros(count), np.full(count, 9))


def test_slow_rungs_judge_reviews_of_every_length_once() -> None:
    lengths = np.arange(1000)[::-1]
    parts = rounds(lengths, rung(reviews=40), 4, seed=0)
    rows = np.concatenate(parts)
    assert len(set(rows)) == len(rows) == 40
    assert [len(part) for part in parts] == [10] * 4
    assert all(abs(lengths[part].mean() - lengths.mean()) < 50 for part in parts)


def test_quick_rungs_judge_every_review_in_each_round() -> None:
    parts = rounds(np.arange(7), rung(each_round=True), 3, seed=0)
    assert [sorted(part) for part in parts] == [list(range(7))] * 3


def test_few_reviews_are_each_judged_once() -> None:
    parts = rounds(np.arange(3), rung(reviews=60), 2, seed=0)
    assert sorted(np.concatenate(parts)) == [0, 1, 2]


@pytest.mark.parametrize(("window", "token_budget", "processes"), [(1, None, 1), (2, 64, 2)])
def test_processes_answer_in_order_as_the_classifier_does(
    window: int, token_budget: int | None, processes: int
) -> None:
    with Team(rung(window=window, token_budget=token_budget, processes=processes)) as team:
        timing = team.judge(TEXTS)
    alone = probabilities(classify(load_classifier(SHIPPED, threads=1), TEXTS, 1280))
    assert timing.answers.probabilities == pytest.approx(alone, abs=1e-5)
    assert (timing.answers.forward > 0).all()
    assert timing.ended - timing.began >= timing.answers.forward.sum() / processes / 2
    assert timing.peak_memory > 2**20


def test_no_process_outlives_a_benchmark_that_is_killed() -> None:
    code = (
        "import multiprocessing, threading; from tests.benchmarks.test_benchmark import TEXTS, Team, rung;"
        "team = Team(rung()); team.warm_up(TEXTS);"
        "print(multiprocessing.active_children()[0].pid, flush=True); threading.Event().wait()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        ended, _, _ = select.select([child], [], [], WAIT_SECONDS)
        os.close(child)
    assert ended


def test_the_frontier_passes_through_the_points_that_were_measured(found: Benchmark) -> None:
    line = frontier(found, np.array(TRUTH))
    assert line.accuracy.tolist() == [0.8, 0.8, 0.8, 0.8, 0.8, 0.6]
    assert line.rates == pytest.approx([5 / 5.5, 5 / 4.5, 5 / 3.5, 5 / 2.5, 5 / 1.5, 5 / 0.5])
    assert line.thresholds.tolist() == pytest.approx([np.inf, 0.99, 0.95, 0.7, 0.6, 0.55])


def test_short_reviews_are_left_to_the_network_at_every_threshold(found: Benchmark) -> None:
    assert found.manifest.cascade is not None
    cascade = found.manifest.cascade.model_copy(update={"settle_from": 6})
    line = frontier(_run(found.manifest.model_copy(update={"cascade": cascade})), np.array(TRUTH))
    assert line.thresholds.tolist() == pytest.approx([np.inf, 0.99, 0.6, 0.55])
    assert line.accuracy.tolist() == [0.8, 0.8, 0.8, 0.6]
    assert line.rates == pytest.approx([5 / 5.5, 5 / 4.5, 5 / 3.5, 5 / 2.5])


def test_the_benchmark_and_the_cascade_agree_on_every_review() -> None:
    manifest = load_manifest(TWO_STAGES)
    cascade, texts = manifest.cascade, [*TEXTS, *made_up(manifest, 10)]
    assert cascade is not None
    assert cascade.settle_from > 0
    assert len(cascade.stacks) > 1
    truth = np.arange(len(texts)) % 2
    ladder = {}
    for each in rungs(TWO_STAGES, manifest, None, 1, Path()):
        if each.key in {INT8, FULL, *cascade.points}:
            ladder[each.key] = MeasuredRung(each, RungAnswers.none(len(texts), 2), [], [])
            ladder[each.key].add(np.arange(len(texts)), measure(each, texts))
    request = BenchmarkRequest(TWO_STAGES, Reviews(texts, truth.tolist(), manifest.labels, [], 0), "ours", None, 1)
    found = Benchmark(manifest, request, ladder, [], {})
    full = ladder[FULL].answers
    tokens, first = full.tokens.tolist(), full.first.astype(np.float32)
    shares = []
    for point in (*cascade.points, FULL):
        settled = ladder[point].answers.settled
        shares.append(settled.mean())
        assert settled.tolist() == settled_at(found, cascade, point).tolist()
        assert stages(ladder[point], truth)[0].share == settled.mean()
    assert max(shares) > min(shares) == 0
    network = np.log(ladder[INT8].answers.probabilities).astype(np.float32)
    assert full.probabilities == pytest.approx(softmax(join(cascade, network, first, tokens)), abs=1e-4)
    line = frontier(found, truth)
    for threshold, share in zip(line.thresholds, line.accuracy, strict=True):
        settled = settled_alone(cascade, first, tokens, threshold)
        answers = np.where(settled[:, None], first, full.probabilities).argmax(axis=1)
        assert share == pytest.approx((answers == truth).mean())


def test_a_stage_is_measured_on_the_reviews_that_it_classified(found: Benchmark) -> None:
    first, second = stages(found.ladder["balanced"], np.array(TRUTH))
    assert (first.share, first.accuracy) == pytest.approx((3 / 5, 2 / 3))
    assert (second.share, second.accuracy) == pytest.approx((2 / 5, 1))


def test_groups_are_told_by_length_words_and_doubt(found: Benchmark) -> None:
    marked = groups(found)
    assert marked["short (at most 50 words)"].all()
    assert "long (over 500 words)" not in marked
    assert marked["mixed (a word of praise and one of blame)"].tolist() == [False] * 4 + [True]
    assert marked["n-grams below 0.7 sure"].tolist() == [False, False, True, False, True]


def test_tables_show_speed_by_factor_and_accuracy_where_there_is_one(found: Benchmark) -> None:
    made = tables(found)
    lines = {line.split(" | ")[0].removeprefix("| "): line.split(" | ")[1:] for line in made["ladder"].splitlines()}
    assert lines["torch float32 of DistilBERT's size, one at a time"][3:6] == ["1.0", "n/a", "n/a"]
    assert lines["cascade, balanced"][3:5] == ["2.2", "80.0 %"]
    assert "| balanced | 0.6500 | 60.0 % | 66.7 % | 100.0 % | 80.0 % |" in made["stages"]
    assert "+0.00 points" in made["checks"]
    assert made["robustness"].count("\n") == len(found.kinds) + 3


def test_figures_for_machines_are_valid_json(found: Benchmark, tmp_path: Path) -> None:
    write_json(found, tmp_path / "benchmark.json")
    values = json.loads((tmp_path / "benchmark.json").read_text())
    assert values["ladder"][0]["accuracy"] is None
    assert [stage["name"] for stage in values["stages"]["full"]] == ["transformer"]
    assert values["robustness"][-1]["kind"] == "all"


def test_a_model_of_one_stage_has_a_ladder_and_no_thresholds() -> None:
    made = tables(_run(load_manifest(SHIPPED)))
    assert set(made) == {"setting", "ladder", "groups", "robustness"}
    assert "cascade" not in made["ladder"]


def test_only_what_stands_between_the_marks_is_renewed(tmp_path: Path) -> None:
    document = tmp_path / "model.md"
    document.write_text("before\n<!-- benchmark: a -->\nold\n<!-- end -->\nafter <!-- end -->\n", encoding="utf-8")
    fill(document, {"a": "| new |\n", "b": "| nowhere |\n"})
    assert document.read_text() == "before\n<!-- benchmark: a -->\n| new |\n<!-- end -->\nafter <!-- end -->\n"


def test_every_plot_is_drawn(found: Benchmark, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the training extra is not installed: make test")
    from benchmarks.classifier.benchmark_plots import draw  # noqa: PLC0415 - needs matplotlib

    assert {path.name for path in draw(found, tmp_path)} == {"ladder.png", "frontier.png", "reliability.png"}
    assert all(path.stat().st_size > 5_000 for path in tmp_path.iterdir())


def test_hostile_reviews_are_of_many_kinds_and_enough_of_each() -> None:
    kinds = load_kinds(["negative", "positive"])
    assert len(kinds) >= 8
    assert all(len(kind.texts) >= 12 and len(set(kind.texts)) == len(kind.texts) for kind in kinds)
    assert all(4 <= sum(kind.labels) <= len(kind.labels) - 4 for kind in kinds)
    [long] = [kind for kind in kinds if kind.name == "5,000 words"]
    assert all(5_000 <= len(text.split()) < 5_050 for text in long.texts)


def test_a_model_of_other_labels_is_not_asked_hostile_reviews() -> None:
    assert load_kinds(["bad", "fair", "good"]) == []


def test_a_document_without_a_mark_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(command)
    document = tmp_path / "model.md"
    document.write_text("no mark\n", encoding="utf-8")
    result = CliRunner().invoke(app, [str(SHIPPED), "--document", str(document)])
    assert result.exit_code == 2
    assert "<!-- benchmark: NAME -->" in result.stderr
