"""Measure the nearest neighbours of an embedder, on reviews and groups that it was not fitted on."""

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.classifier import softmax
from inference.embedder import Embedder, Topics
from inference.manifest import TOKENIZER
from inference.ngrams import NgramModel
from inference.tokenizer import NO_LIMIT, ReviewTokenizer
from training.data.reviews import Reviews
from training.recipes.options import EmbedderConfig

NEIGHBOURS = 3
CHUNK = 256  # reviews at a time: their similarities to 25,000 others take 25 MB


def measure(config: EmbedderConfig, topics: Topics, training: Reviews, validation: Reviews) -> dict[str, object]:
    """Return the time for a review, and how often its three nearest neighbours have the same label and group.

    For `same_label` the neighbours are training reviews, as the examples are for a worker. For `same_group` they are
    all other reviews, since no group is in both parts; `chance` is the value for random reviews.
    """
    tokeniser = ReviewTokenizer(config.output / TOKENIZER, NO_LIMIT)
    embedder = Embedder(topics, tokeniser, tuple(training.names), "")
    predicted = _answers(config.ngrams, validation) if config.ngrams else known_labels(validation)
    began = time.process_time()
    asked = np.vstack(
        [embedder.embed([text], row[None]) for text, row in zip(validation.texts, predicted, strict=True)]
    )
    took = (time.process_time() - began) / len(asked)
    places = range(0, len(training), CHUNK)
    labels_known = known_labels(training)
    known = np.vstack([embedder.embed(training.texts[at : at + CHUNK], labels_known[at : at + CHUNK]) for at in places])
    same = embedder.embed(validation.texts, known_labels(validation))
    truth, labels = np.array(validation.labels), np.array(training.labels)
    figures: dict[str, object] = {
        "dimensions": embedder.dimensions,
        "milliseconds": round(took * 1000, 3),
        "same_label": _share(labels[nearest(asked, known)], truth),
        "same_label_by_topics": _share(labels[nearest(_topics(embedder, asked), _topics(embedder, known))], truth),
    }
    if validation.groups:
        others, groups = np.vstack([same, known]), np.array([*validation.groups, *training.groups])
        own = groups[: len(asked)]
        found = groups[nearest(asked, others, without_itself=True)]
        chance = float(np.mean([(groups == group).sum() - 1 for group in own])) / (len(groups) - 1)
        figures |= {"same_group": _share(found, own), "same_group_first": _share(found[:, :1], own), "chance": chance}
    return figures


def nearest(
    asked: NDArray[np.float32], known: NDArray[np.float32], count: int = NEIGHBOURS, *, without_itself: bool = False
) -> NDArray[np.int64]:
    """Return the rows of `known` nearest to each of `asked`, nearest first; `without_itself` leaves out its own row."""
    found = []
    for start in range(0, len(asked), CHUNK):
        near = asked[start : start + CHUNK] @ known.T
        if without_itself:
            rows = np.arange(len(near))
            near[rows, rows + start] = -np.inf
        found.append(np.argsort(-near, axis=1)[:, :count])
    return np.concatenate(found)


def known_labels(reviews: Reviews) -> NDArray[np.float64]:
    """Return the probabilities [reviews, labels] of reviews whose labels are known."""
    return np.eye(len(reviews.names))[reviews.labels]


def _topics(embedder: Embedder, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    return embeddings[:, : embeddings.shape[1] - len(embedder.labels)]


def _share(found: NDArray[np.generic], truth: NDArray[np.generic]) -> float:
    return round(float((found == truth[:, None]).mean()), 4)


def _answers(folder: Path, reviews: Reviews) -> NDArray[np.float64]:
    """Return the probabilities [reviews, labels] that an n-gram model predicts."""
    model, tokeniser = NgramModel.read(folder / "ngrams.npz"), ReviewTokenizer(folder / TOKENIZER, NO_LIMIT)
    return softmax(model.judge(tokeniser.whole(reviews.texts)))
