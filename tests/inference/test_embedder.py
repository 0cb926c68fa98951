"""Embeddings: close for the same topic and sentiment, read from a model folder, of the stated size."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.embedder import MAX_CHARS, Embedder, Topics, load_embedder
from inference.manifest import ModelError
from tests.embedders import small_embedder, topics, write_manifest, write_model

SURE = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])


@pytest.fixture
def embedder(tmp_path: Path) -> Embedder:
    return small_embedder(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model with the embedder."""
    return write_model(tmp_path / "1")


def similarities(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    return embeddings @ embeddings.T


def test_the_same_topic_and_the_same_sentiment_are_nearer_than_others(embedder: Embedder) -> None:
    texts = ["pirates at sea", "a ship of pirates", "robots in space"]
    same_verdict = similarities(embedder.embed(texts, SURE[[0, 0, 0]]))
    assert same_verdict[0] == pytest.approx([1, 1, 0.2], abs=1e-3)
    other_verdict = similarities(embedder.embed(texts, SURE[[0, 1, 1]]))
    assert other_verdict[0] == pytest.approx([1, 0.6, -0.2], abs=1e-3)


def test_an_unsure_prediction_is_as_near_to_either_sentiment(embedder: Embedder) -> None:
    near = similarities(embedder.embed(["pirates", "pirates", "pirates"], SURE))
    assert near[2, 0] == pytest.approx(near[2, 1])
    assert near[2, 2] == pytest.approx(0.8, abs=1e-3)


def test_unknown_words_have_no_topic(embedder: Embedder) -> None:
    near = similarities(embedder.embed(["", "unheard of", "pirates"], SURE[[0, 0, 0]]))
    assert near[0] == pytest.approx([0.2, 0.2, 0.2], abs=1e-3)


def test_only_the_beginning_of_a_long_text_is_read(embedder: Embedder) -> None:
    long = "pirates " * (MAX_CHARS // 8)
    short, longer = embedder.embed([long, long + " robots in space"], SURE[[0, 0]])
    assert longer == pytest.approx(short)


def test_the_tokens_of_a_text_are_embedded_as_the_text_is(embedder: Embedder) -> None:
    texts = ["pirates at sea", "robots <br />in space"]
    of_tokens = embedder.embed_tokens([embedder.tokens(text) for text in texts], SURE[[0, 1]])
    assert of_tokens.tolist() == embedder.embed(texts, SURE[[0, 1]]).tolist()


def test_known_labels_are_sure_probabilities(embedder: Embedder) -> None:
    assert embedder.one_hot(["positive", "negative"]).tolist() == [[0, 1], [1, 0]]
    assert embedder.dimensions == embedder.embed(["pirates"], embedder.one_hot(["positive"])).shape[1] == 5


def test_topics_are_read_as_they_were_written(tmp_path: Path) -> None:
    topics(0.3).write(tmp_path / "embedder.npz")
    assert Topics.read(tmp_path / "embedder.npz").of([1, 3, 6, 2]) == pytest.approx(topics().of([1, 3, 6, 2]))
    assert Topics.read(tmp_path / "embedder.npz").judgement == 0.3


def test_a_model_folder_has_an_embedder_or_none(folder: Path) -> None:
    assert load_embedder(write_model(folder.parent / "2", embedder=False)) is None
    embedder = load_embedder(folder)
    assert embedder is not None
    assert embedder.labels == ("negative", "positive")


def test_another_tokenizer_is_another_embedder(folder: Path) -> None:
    before = load_embedder(folder)
    (folder / "tokenizer.json").write_text((folder / "tokenizer.json").read_text() + "\n")
    after = load_embedder(write_manifest(folder))
    assert before is not None
    assert after is not None
    assert before.digest != after.digest


def test_a_file_that_is_no_embedder_is_named(folder: Path) -> None:
    np.savez(folder / "embedder.npz", table=np.zeros((3, 2)), scale=np.zeros(3), judgement=0.2)
    with pytest.raises(ModelError, match=r"embedder of the model in .* cannot be read"):
        load_embedder(write_manifest(folder))
