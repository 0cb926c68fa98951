"""Examples that a worker embeds at its start: the samples of the default model, and feedback of callers.

The samples give a new service similar reviews to show.
"""

import csv
from pathlib import Path

from db import examples, feedback
from db.engine import Engine, transaction
from db.examples import NewExample
from inference.embedder import Embedder

DATASET = "samples"
FILE = "examples.csv"  # text, label, film
MOST_FEEDBACK = 1_000  # 0.3 s of the worker's start; `verdict examples embed` does any number


def add_samples(engine: Engine, embedder: Embedder, folder: Path) -> int:
    """Add the samples of a folder if there are no examples yet, or embed them again if the embedder has changed.

    Samples with a label that the model lacks are left out. Returns the number of samples written.

    Raises:
        DatabaseError: the database cannot be reached.
    """
    with transaction(engine) as connection:
        if not examples.samples_due(connection, DATASET, embedder.digest) or not (folder / FILE).is_file():
            return 0
    with (folder / FILE).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("text") and row.get("label") in embedder.labels]
    if not rows:
        return 0
    vectors = embedder.embed_labelled([row["text"] for row in rows], [row["label"] for row in rows])
    new = [
        NewExample(row["text"], row["label"], row.get("film"), each) for row, each in zip(rows, vectors, strict=True)
    ]
    with transaction(engine) as connection:
        return examples.add(connection, DATASET, embedder.digest, new)


def embed_feedback(engine: Engine, embedder: Embedder) -> int:
    """Embed the newest examples from feedback that this embedder has not embedded; return their number.

    Raises:
        DatabaseError: the database cannot be reached.
    """
    with transaction(engine) as connection:
        waiting = feedback.stale(connection, embedder.digest, embedder.labels, MOST_FEEDBACK)
    if not waiting:
        return 0
    vectors = embedder.embed_labelled([row.text for row in waiting], [row.label for row in waiting])
    with transaction(engine) as connection:
        return examples.embed(connection, embedder.digest, [row.id for row in waiting], vectors)
