"""The linear n-gram classifier: its features, its fit, and that a file of it answers as it did."""

# ruff: noqa: E402 - the skip must come before the libraries that may be absent

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
pytest.importorskip("transformers", reason="the training extra is not installed: make test")

from inference.ngrams import NgramModel, buckets
from inference.tokenizer import NO_LIMIT, ReviewTokenizer
from training.data.run_folder import load_split
from training.data.soft_targets import Judgement
from training.errors import TrainingError
from training.learn.fit_ngrams import fit_ngrams, inverse_frequency, judge, naive_bayes
from training.recipes.options import NgramConfig

# Only a pair of words tells these apart.
SENTENCES = {
    "negative": ["not good", "not a good film", "hardly funny", "a bad film"],
    "positive": ["good not bad", "a good film", "funny", "not bad"],
}


@pytest.fixture
def recipe(tmp_path: Path) -> NgramConfig:
    rows = [f"{text},{label}" for label, texts in SENTENCES.items() for text in texts for _ in range(4)]
    (tmp_path / "reviews.csv").write_text("\n".join(["text,label", *rows, ""]), encoding="utf-8")
    return NgramConfig(
        data=str(tmp_path / "reviews.csv"), validation_size=6, bits=12, label_smoothing=0.0, output=tmp_path / "run"
    )


def test_every_n_gram_has_its_bucket_once() -> None:
    assert len(buckets([7, 8, 7, 8], order=1, bits=20)) == 2
    assert len(buckets([7, 8, 7, 8], order=2, bits=20)) == 4
    assert len(buckets([7, 8, 7, 8], order=3, bits=20)) == 6
    assert len(buckets([7], order=3, bits=20)) == 1
    assert buckets([30_000, 1, 0], order=3, bits=8).max() < 256


def test_the_order_of_words_is_seen() -> None:
    assert set(buckets([1, 2], order=1, bits=20)) == set(buckets([2, 1], order=1, bits=20))
    assert set(buckets([1, 2], order=2, bits=20)) != set(buckets([2, 1], order=2, bits=20))


def test_the_prior_is_the_log_count_ratio_and_leaves_out_the_rare() -> None:
    counts = torch.tensor([[3.0, 0.0], [0.0, 1.0], [2.0, 2.0]])
    negative, positive = np.array([4, 1, 3]) / 8, np.array([1, 2, 3]) / 6
    expected = np.abs(np.log(positive / negative))
    assert naive_bayes(counts, min_count=2).squeeze(1).tolist() == pytest.approx([expected[0], 0, expected[2]])


def test_the_other_prior_is_the_rarer_the_larger_and_leaves_out_the_rarest() -> None:
    counts = torch.tensor([[3.0, 0.0], [0.0, 1.0], [2.0, 2.0]])
    expected = np.log(8 / np.array([4, 2, 5])) / 4
    assert inverse_frequency(counts, min_count=2).squeeze(1).tolist() == pytest.approx([expected[0], 0, expected[2]])
    assert inverse_frequency(torch.ones(4, 3), min_count=2).shape == (4, 3)


def test_either_prior_tells_not_good_from_good(recipe: NgramConfig) -> None:
    assert fit_ngrams(recipe.model_copy(update={"prior": "idf"}))["accuracy"] == 1.0


def test_a_fit_tells_not_good_from_good_and_is_kept_in_a_file(recipe: NgramConfig) -> None:
    figures = fit_ngrams(recipe)
    assert figures["accuracy"] == 1.0
    model = NgramModel.read(recipe.output / "ngrams.npz")
    tokeniser = ReviewTokenizer(recipe.output / "tokenizer.json", NO_LIMIT)
    answers = judge(model, tokeniser, ["not a good film", "not bad"])
    assert answers.argmax(axis=1).tolist() == [0, 1]
    assert model.weights.dtype == np.int8


def test_an_empty_review_gets_an_answer(recipe: NgramConfig) -> None:
    fit_ngrams(recipe)
    model = NgramModel.read(recipe.output / "ngrams.npz")
    assert np.isfinite(model.logits([])).all()


def test_more_than_two_labels_have_a_column_each(recipe: NgramConfig, tmp_path: Path) -> None:
    rows = [f"{word} film,{word}" for word in ("bad", "fair", "good") for _ in range(6)]
    (tmp_path / "three.csv").write_text("\n".join(["text,label", *rows, ""]), encoding="utf-8")
    figures = fit_ngrams(recipe.model_copy(update={"data": str(tmp_path / "three.csv")}))
    assert figures["accuracy"] == 1.0
    assert NgramModel.read(recipe.output / "ngrams.npz").weights.shape == (4096, 3)


def test_it_judges_a_file_as_a_teacher_and_learns_from_one(recipe: NgramConfig, tmp_path: Path) -> None:
    texts = tmp_path / "texts.csv"
    texts.write_text("text\na good film\na dreadful film\na delightful film\n", encoding="utf-8")
    fit_ngrams(recipe.model_copy(update={"judge": str(texts)}))
    judgement = Judgement.read(recipe.output / "answers.parquet")
    assert judgement.rows.tolist() == [0, 1, 2]
    assert judgement.logits[0].argmax() == 1
    teacher = tmp_path / "teacher.parquet"
    Judgement(np.array([1, 2]), np.array([[9, 0], [0, 9]], dtype=np.float32)).write(teacher)
    distil = {"data": str(texts), "teachers": [{"logits": str(teacher)}]}
    taught = NgramConfig.model_validate(
        recipe.model_dump() | {"distil": distil, "min_reviews": 1, "output": tmp_path / "taught"}
    )
    fit_ngrams(taught)
    model = NgramModel.read(taught.output / "ngrams.npz")
    answers = judge(model, ReviewTokenizer(taught.output / "tokenizer.json", NO_LIMIT), ["dreadful", "delightful"])
    assert answers.argmax(axis=1).tolist() == [0, 1]


def test_each_training_review_is_judged_by_a_fit_that_has_not_seen_its_group(
    recipe: NgramConfig, tmp_path: Path
) -> None:
    words = "apple bread chair dance eagle fence glass horse island jungle knife lemon mirror night ocean paper queen"
    words += " river stone table uncle valley water yellow"
    rows = [f"{word},{('negative', 'positive')[turn % 2]},{word}" for turn, word in enumerate(words.split())]
    (tmp_path / "groups.csv").write_text("\n".join(["text,label,film", *rows, ""]), encoding="utf-8")
    grouped = recipe.model_copy(
        update={"data": str(tmp_path / "groups.csv"), "group_column": "film", "min_reviews": 1, "cross_fit": 3}
    )
    fit_ngrams(grouped)
    judgement = Judgement.read(recipe.output / "training.parquet")
    assert judgement.rows.tolist() == list(range(18))
    training, _ = load_split(grouped)
    model = NgramModel.read(recipe.output / "ngrams.npz")
    seen = judge(model, ReviewTokenizer(recipe.output / "tokenizer.json", NO_LIMIT), training.texts)
    assert (seen.argmax(axis=1) == training.labels).all()  # each word is its label's only witness
    assert (judgement.logits.argmax(axis=1) == training.labels).mean() < 0.8
    with pytest.raises(TrainingError, match="18 groups of reviews do not make 20 folds"):
        fit_ngrams(grouped.model_copy(update={"cross_fit": 20}))
