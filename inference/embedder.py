"""Embeddings of reviews, of their topics and their sentiment, in less than a millisecond and without the network.

`training.learn.fit_embedder` fits the file. Most of the time goes into tokenisation.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.manifest import TOKENIZER, ModelError, file_digest, load_manifest
from inference.tokenizer import NO_LIMIT, ReviewTokenizer

# The beginning of a review names its topic; the longest reviews would cost tens of milliseconds.
MAX_CHARS = 10_000
MAX_TOKENS = 2_500


def words(ids: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the distinct tokens of a review, without the special ones at its ends, and their weights 1 + log count."""
    tokens, counts = np.unique(np.asarray(ids[1:-1], dtype=np.int64), return_counts=True)
    return tokens, (1 + np.log(counts)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of tokens: `table` [tokens, dimensions] is int8, its rows in units of `scale` [tokens].

    `judgement` is the share of a similarity that comes from the sentiment, 0 to 1; the rest comes from the topics.
    """

    table: NDArray[np.int8]
    scale: NDArray[np.float32]
    judgement: float

    def of(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Return the topics of a review [dimensions], of length 1, or 0 if no word is known."""
        tokens, weights = words(ids)
        known = tokens < len(self.table)
        tokens, weights = tokens[known], weights[known]
        return _unit(np.asarray((weights * self.scale[tokens]) @ self.table[tokens], dtype=np.float32))

    def write(self, path: Path) -> None:
        """Write an .npz file."""
        np.savez_compressed(path, table=self.table, scale=self.scale, judgement=self.judgement)

    @classmethod
    def read(cls, path: Path) -> "Topics":
        """Read a file made by `write`.

        Raises:
            Exception: it is no such file; numpy and zipfile raise errors without a common base.
        """
        with np.load(path) as values:
            table, scale, judgement = values["table"], values["scale"], float(values["judgement"])
        if table.dtype != np.int8 or table.ndim != 2 or scale.shape != table.shape[:1] or not 0 <= judgement <= 1:
            raise ValueError("its arrays do not fit together")
        return cls(table, scale, judgement)


@dataclass(frozen=True, slots=True)
class Embedder:
    """Topics, their tokeniser and the labels of the model; `digest` identifies the three in the database."""

    topics: Topics
    tokeniser: ReviewTokenizer
    labels: tuple[str, ...]
    digest: str

    @property
    def dimensions(self) -> int:
        """Return the size of an embedding: one number for each topic and each label."""
        return int(self.topics.table.shape[1]) + len(self.labels)

    def embed(self, texts: Sequence[str], probabilities: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return embeddings [reviews, dimensions] of texts with the predicted `probabilities` [reviews, labels].

        The dot product of two is their similarity: the weighted mean of the cosine of their topics and the agreement of
        their sentiments, 1 at most. An unsure prediction agrees little with any sentiment, so the neighbours of such a
        review are chosen by topic.
        """
        return self.embed_tokens([self.tokens(text) for text in texts], probabilities)

    def tokens(self, text: str) -> Sequence[int]:
        """Return the token ids of the first `MAX_CHARS` characters of a text."""
        return self.tokeniser.whole([text[:MAX_CHARS]])[0]

    def embed_tokens(self, reviews: Sequence[Sequence[int]], probabilities: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return embeddings as `embed` does, given the token ids of whole reviews."""
        topics = np.stack([self.topics.of(ids[:MAX_TOKENS]) for ids in reviews])
        share = self.topics.judgement
        parts = [np.sqrt(1 - share) * topics, np.sqrt(share) * judgements(probabilities)]
        return np.asarray(np.hstack(parts), dtype=np.float32)

    def embed_labelled(self, texts: Sequence[str], labels: Sequence[str]) -> list[list[float]]:
        """Return embeddings of texts with known labels, as lists, which the database driver takes."""
        vectors: list[list[float]] = self.embed(texts, self.one_hot(labels)).tolist()
        return vectors

    def one_hot(self, labels: Sequence[str]) -> NDArray[np.float64]:
        """Return probabilities [reviews, labels] of 0 and 1 for reviews with known labels."""
        return np.eye(len(self.labels))[[self.labels.index(label) for label in labels]]


def judgements(probabilities: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return sentiment vectors [reviews, labels]: of length 1 where one label is certain, 0 where all are alike."""
    labels = probabilities.shape[1]
    return np.asarray((probabilities - 1 / labels) / np.sqrt(1 - 1 / labels), dtype=np.float32)


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.linalg.norm(vector)
    return np.asarray(vector / (length or 1), dtype=np.float32)


def load_embedder(model_dir: Path) -> Embedder | None:
    """Return the embedder of a model folder, or None if it has none.

    Raises:
        ModelError: the folder cannot be served, or its embedder cannot be read.
    """
    manifest = load_manifest(model_dir)
    if manifest.embedder is None:
        return None
    path = model_dir / manifest.embedder
    try:
        topics = Topics.read(path)
    except Exception as exc:  # numpy, zipfile and zlib raise errors without a common base
        raise ModelError(f"The embedder of the model in {model_dir} cannot be read: {exc}.") from exc
    parts = [manifest.files[manifest.embedder], file_digest(model_dir / TOKENIZER), *manifest.labels]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return Embedder(
        topics,
        ReviewTokenizer(model_dir / TOKENIZER, NO_LIMIT, symbols=manifest.symbols),
        tuple(manifest.labels),
        digest,
    )
