"""Data sets that the `datasets` library loads: a hub name, or a folder laid out like one on the hub."""

from pathlib import Path

import pytest

from tests.training.conftest import recipe
from training.data.reviews import DataSource, load_reviews
from training.errors import TrainingError

datasets = pytest.importorskip("datasets", reason="the training extra is not installed: make test")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two splits with named classes, as repositories on the hub hold them."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    target = tmp_path / "moods"
    target.mkdir()
    classes = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    rows = {"train": ["the film was awful", "the film was superb"] * 12, "test": ["dull", "lovely", "weak"]}
    for split, texts in rows.items():
        labels = [place % 2 for place in range(len(texts))]
        table = datasets.Dataset.from_dict({"text": texts, "label": labels}, features=classes)
        table.to_parquet(target / f"{split}.parquet")
    return target


def test_a_split_of_a_data_set_keeps_the_names_of_its_classes(folder: Path) -> None:
    reviews = load_reviews(DataSource(str(folder), "test"))
    assert (reviews.texts, reviews.labels, reviews.names) == (
        ["dull", "lovely", "weak"],
        [0, 1, 0],
        ["negative", "positive"],
    )
    assert len(load_reviews(DataSource(str(folder)))) == 24


def test_a_split_that_is_not_there_gets_one_line(folder: Path) -> None:
    with pytest.raises(TrainingError, match="readable data set") as caught:
        load_reviews(DataSource(str(folder), "validation"))
    assert "\n" not in str(caught.value)


def test_a_network_learns_from_a_data_set(folder: Path, base_model: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
    from training.learn.train import train  # noqa: PLC0415 - it needs torch

    run = train(recipe(base_model, folder, tmp_path / "run", validation_size=4, test=str(folder), epochs=2))
    assert run.labels == ["negative", "positive"]
    assert run.rows["training"] == 20
    assert set(run.result["test"]) == {"accuracy", "precision", "recall", "f1", "ece"}
