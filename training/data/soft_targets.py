"""The training target of each text: its smoothed true label, or the predictions of teacher models.

`training.learn.label` and `training.learn.fit_ngrams` write the files of the teachers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from inference.classifier import softmax
from inference.loading import tokeniser_of
from inference.manifest import MANIFEST, load_manifest
from inference.ngrams import NgramModel
from training.data.reviews import Reviews, drawn, load_texts
from training.errors import TrainingError
from training.recipes.options import DistilConfig, FocusConfig, RowsConfig, TargetsConfig


@dataclass(frozen=True, slots=True)
class Examples:
    """Texts and their `targets` [texts, labels]; every row is a probability distribution."""

    texts: list[str]
    targets: NDArray[np.float32]

    def __add__(self, other: "Examples") -> "Examples":
        return Examples(self.texts + other.texts, np.concatenate([self.targets, other.targets]))


@dataclass(frozen=True, slots=True)
class Judgement:
    """The predictions of one model for rows of a file: `rows` index into it, `logits` [rows, labels]."""

    rows: NDArray[np.int64]
    logits: NDArray[np.float32]

    def write(self, path: Path) -> None:
        """Write a Parquet file atomically."""
        scratch = path.with_name(f".{path.name}")
        pq.write_table(pa.table({"row": self.rows, "logits": list(self.logits)}), scratch)
        scratch.rename(path)

    @classmethod
    def read(cls, path: Path) -> "Judgement":
        """Read one file, or a folder of them."""
        try:
            table = pq.read_table(path)
            logits = np.asarray(table["logits"].to_pylist(), dtype=np.float32)
            return cls(np.asarray(table["row"], dtype=np.int64), logits)
        except (OSError, KeyError, pa.ArrowInvalid) as exc:
            raise TrainingError(f"{path} holds no logits of a teacher; verdict label writes them.") from exc


def examples(config: TargetsConfig, reviews: Reviews) -> Examples:
    """Return all training examples of a recipe: labelled reviews, texts without a leaning, and texts with teachers."""
    labels = len(reviews.names)
    found = true_labels(reviews, config.label_smoothing)
    if config.even:
        found += even(config.even, labels, config.split_seed)
    if config.distil:
        found += taught(config.distil, labels)
    return found


def true_labels(reviews: Reviews, smoothing: float) -> Examples:
    """Return the reviews with their labels; `smoothing` is spread over all labels (Szegedy et al. 2016, section 7)."""
    labels = len(reviews.names)
    targets = np.full((len(reviews), labels), smoothing / labels, dtype=np.float32)
    targets[np.arange(len(reviews)), reviews.labels] += 1 - smoothing
    return Examples(reviews.texts, targets)


def even(rows: Sequence[RowsConfig], labels: int, seed: int) -> Examples:
    """Return texts without a leaning, such as neutral ones: their target gives each label the same probability."""
    texts: list[str] = []
    for each in rows:
        found = load_texts(each.data, each.text_column, only=each.only, without=each.without)
        texts += [found[row] for row in drawn(len(found), each.limit, seed)] * each.repeat
    return Examples(texts, np.full((len(texts), labels), 1 / labels, dtype=np.float32))


def focused(config: FocusConfig, reviews: Reviews, seed: int) -> Reviews:
    """Return the reviews with an unsure prediction in `config.answers`, and a random share of the others."""
    judgement = Judgement.read(config.answers)
    if not np.array_equal(judgement.rows, np.arange(len(reviews))):
        raise TrainingError(f"{config.answers} does not hold the {len(reviews)} training reviews of this recipe.")
    hard = softmax(judgement.logits).max(axis=1) < config.below
    lucky = np.random.default_rng(seed).random(len(reviews)) < config.keep
    return reviews.take(np.flatnonzero(hard | lucky).tolist())


def taught(config: DistilConfig, labels: int) -> Examples:
    """Return the texts that every teacher has labelled, with the softmax of the weighted sum of their logits."""
    texts = load_texts(config.data, config.text_column)
    judgements = [_judgement(teacher.logits, texts) for teacher in config.teachers]
    rows = _shared_rows([judgement.rows for judgement in judgements])
    total = np.zeros((len(rows), labels), dtype=np.float32)
    for teacher, judgement in zip(config.teachers, judgements, strict=True):
        if judgement.logits.shape[1:] != (labels,):
            raise TrainingError(f"{teacher.logits} has {judgement.logits.shape[1]} labels, this recipe {labels}.")
        places = {int(row): place for place, row in enumerate(judgement.rows)}
        total += teacher.weight * judgement.logits[[places[int(row)] for row in rows]]
    return Examples([texts[row] for row in rows], softmax(total).astype(np.float32))


def _judgement(teacher: Path, texts: Sequence[str]) -> Judgement:
    """Return the logits of a teacher, read from its file or computed by the n-grams of a served model."""
    if not (teacher / MANIFEST).is_file():
        return Judgement.read(teacher)
    manifest = load_manifest(teacher)
    if manifest.cascade is None:
        raise TrainingError(f"The model in {teacher} has no n-grams to label {len(texts)} texts with.")
    ngrams, tokeniser = NgramModel.read(teacher / manifest.cascade.ngrams), tokeniser_of(teacher, manifest)
    return Judgement(np.arange(len(texts)), ngrams.judge(tokeniser.whole(texts)))


def _shared_rows(rows: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    shared = rows[0]
    for others in rows[1:]:
        shared = np.intersect1d(shared, others)
    if not len(shared):
        raise TrainingError("The teachers of this recipe have no row in common.")
    return np.unique(shared)
