"""The target of a text, from its label or from teachers."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="the training extra is not installed: make test")

from training.data.reviews import Reviews, sample
from training.data.soft_targets import Judgement, even, focused, taught, true_labels
from training.errors import TrainingError
from training.recipes.options import DistilConfig, FocusConfig, RowsConfig


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.csv"
    path.write_text("text\nnone\nfirst\nsecond\nthird\n", encoding="utf-8")
    return path


def judged(path: Path, answers: dict[int, list[float]]) -> Path:
    Judgement(np.array(list(answers)), np.array(list(answers.values()), dtype=np.float32)).write(path)
    return path


def recipe(texts: Path, *teachers: tuple[Path, float]) -> DistilConfig:
    named = [{"logits": str(path), "weight": weight} for path, weight in teachers]
    return DistilConfig.model_validate({"data": str(texts), "teachers": named})


def test_smoothing_spreads_the_target_over_all_labels() -> None:
    examples = true_labels(Reviews(["a", "b"], [2, 0], ["bad", "fair", "good"], [], 0), smoothing=0.3)
    assert examples.targets == pytest.approx(np.array([[0.1, 0.1, 0.8], [0.8, 0.1, 0.1]]))


def test_neutral_texts_are_drawn_as_labelled_reviews_are(tmp_path: Path) -> None:
    texts = [f"text {row}" for row in range(50)]
    path = tmp_path / "texts.csv"
    path.write_text("text\n" + "\n".join(texts) + "\n", encoding="utf-8")
    rows = RowsConfig(data=str(path), limit=9, repeat=2)
    examples = even([rows], labels=2, seed=3)
    labelled = sample(Reviews(texts, [0] * 50, ["a", "b"], [], 0), 9, seed=3)
    assert examples.texts == labelled.texts * 2
    assert examples.targets.tolist() == [[0.5, 0.5]] * 18


def test_a_text_is_taught_by_the_weighted_sum_of_its_teachers(texts: Path, tmp_path: Path) -> None:
    first = judged(tmp_path / "first.parquet", {3: [0.0, 1.0], 1: [2.0, 0.0]})
    second = judged(tmp_path / "second.parquet", {2: [9.0, 0.0], 1: [0.0, 4.0], 3: [0.0, 0.0]})
    examples = taught(recipe(texts, (first, 1.0), (second, 0.5)), labels=2)
    assert examples.texts == ["first", "third"]
    assert examples.targets[:, 1] == pytest.approx([0.5, 1 / (1 + np.exp(-1))])


def test_a_folder_of_parts_is_one_teacher(texts: Path, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    judged(tmp_path / "parts" / "0.parquet", {0: [1.0, 0.0]})
    judged(tmp_path / "parts" / "1.parquet", {2: [0.0, 1.0]})
    assert taught(recipe(texts, (tmp_path / "parts", 1.0)), labels=2).texts == ["none", "second"]


def test_reviews_that_a_cheaper_model_is_sure_of_are_left_out_but_for_a_share(tmp_path: Path) -> None:
    reviews = Reviews([str(row) for row in range(1000)], [0] * 1000, ["bad", "good"], [], 0)
    answers = judged(tmp_path / "answers.parquet", {row: [0.0, 1.0 if row < 100 else 9.0] for row in range(1000)})
    hard = focused(FocusConfig(answers=answers, below=0.9, keep=0.0), reviews, seed=1)
    assert hard.texts == [str(row) for row in range(100)]
    some = focused(FocusConfig(answers=answers, below=0.9, keep=0.2), reviews, seed=1)
    assert set(hard.texts) < set(some.texts)
    assert 220 < len(some) < 340
    with pytest.raises(TrainingError, match="does not hold the 999 training reviews"):
        focused(FocusConfig(answers=answers), reviews.take(range(999)), seed=1)


def test_mistakes_get_one_line(texts: Path, tmp_path: Path) -> None:
    first, second = judged(tmp_path / "a.parquet", {0: [1, 0]}), judged(tmp_path / "b.parquet", {1: [1, 0]})
    with pytest.raises(TrainingError, match="no row in common"):
        taught(recipe(texts, (first, 1.0), (second, 1.0)), labels=2)
    with pytest.raises(TrainingError, match="has 2 labels, this recipe 3"):
        taught(recipe(texts, (first, 1.0)), labels=3)
    with pytest.raises(TrainingError, match="verdict label writes them"):
        taught(recipe(texts, (texts, 1.0)), labels=2)
