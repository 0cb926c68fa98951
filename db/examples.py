"""Statements about examples: labelled reviews, and which of them are nearest to a review.

Called by worker.similar for the reviews that were judged, and by `verdict examples`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from db.vectors import EMBEDDING_DIMENSIONS

SHOWN_CHARS = 600  # of a text, before it is cleaned and cut


@dataclass(frozen=True, slots=True)
class NewExample:
    """A labelled review to add; `embedding` has length 1, and is None without an embedder."""

    text: str
    label: str
    group_key: str | None
    embedding: Sequence[float] | None


@dataclass(frozen=True, slots=True)
class SimilarQuery:
    """A judged review, its embedding, and how many similar reviews it shall show."""

    review_id: UUID
    text: str
    embedding: Sequence[float]
    count: int


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An example near a review: the beginning of its text, its label and the cosine of the two embeddings."""

    review_id: UUID
    text: str
    label: str
    similarity: float


# Each review's own scan of the index. Five more than wanted: the review itself may be an example, of several data sets.
_NEAREST = text("""
SELECT wanted.place, near.text_sha256, left(near.text, :shown) AS text, near.label, near.similarity
FROM unnest(CAST(:embeddings AS text[]), CAST(:counts AS int[])) WITH ORDINALITY AS wanted (embedding, count, place)
CROSS JOIN LATERAL (
    SELECT text_sha256, text, label, -(embedding <#> CAST(wanted.embedding AS halfvec)) AS similarity
    FROM examples WHERE embedder = :embedder
    ORDER BY embedding <#> CAST(wanted.embedding AS halfvec) LIMIT wanted.count + 5
) AS near
ORDER BY wanted.place, near.similarity DESC
""")


def nearest(connection: Connection, embedder: str, wanted: Sequence[SimilarQuery]) -> list[Neighbour]:
    """The nearest examples of each review, the nearest first: no text twice, and never the review's own."""
    parameters = {
        "embedder": embedder,
        "embeddings": [_vector(each.embedding) for each in wanted],
        "counts": [each.count for each in wanted],
        "shown": SHOWN_CHARS,
    }
    seen = [{_digest(each.text)} for each in wanted]
    found = []
    for place, digest, body, label, similarity in connection.execute(_NEAREST, parameters):
        review, known = wanted[place - 1], seen[place - 1]
        if digest not in known and len(known) <= review.count:
            known.add(digest)
            found.append(Neighbour(review.review_id, body, label, similarity))
    return found


_ADD = text("""
INSERT INTO examples AS known (dataset, text, text_sha256, label, group_key, embedder, embedding)
SELECT :dataset, sent.text, sent.text_sha256, label, group_key,
       CASE WHEN embedding IS NOT NULL THEN CAST(:embedder AS text) END, CAST(embedding AS halfvec)
FROM unnest(CAST(:texts AS text[]), CAST(:digests AS bytea[]), CAST(:labels AS text[]), CAST(:groups AS text[]),
            CAST(:embeddings AS text[])) AS sent (text, text_sha256, label, group_key, embedding)
ON CONFLICT (dataset, text_sha256) DO UPDATE SET label = excluded.label, group_key = excluded.group_key,
    embedder = excluded.embedder, embedding = excluded.embedding
WHERE (known.label, known.group_key, known.embedder)
    IS DISTINCT FROM (excluded.label, excluded.group_key, excluded.embedder)
""")


def add(connection: Connection, dataset: str, embedder: str | None, examples: Iterable[NewExample]) -> int:
    """Add examples to a data set; how many were new or have changed. Of a text that comes twice, the last counts."""
    by_text = {_digest(each.text): each for each in examples}
    sent = list(by_text.values())
    parameters = {
        "dataset": dataset,
        "embedder": embedder,
        "digests": list(by_text),
        "texts": [each.text for each in sent],
        "labels": [each.label for each in sent],
        "groups": [each.group_key for each in sent],
        "embeddings": [None if each.embedding is None else _vector(each.embedding) for each in sent],
    }
    return connection.execute(_ADD, parameters).rowcount


_DATASETS = text("""
SELECT dataset, label, count(*) AS examples, count(*) FILTER (WHERE embedder = :embedder) AS embedded
FROM examples GROUP BY dataset, label ORDER BY dataset, label
""")


def datasets(connection: Connection, embedder: str | None) -> Sequence[Row[Any]]:
    """For each data set and label: how many examples, and how many are embedded by this embedder."""
    return connection.execute(_DATASETS, {"embedder": embedder}).all()


# Of a data set of any size; the limit that stands is for requests.
_PATIENCE = text("SET LOCAL statement_timeout = '10min'")
_REMOVE = text("DELETE FROM examples WHERE dataset = :dataset")


def remove(connection: Connection, dataset: str) -> int:
    """Remove a data set; how many examples it had. Answers that were given keep what they show."""
    connection.execute(_PATIENCE)
    return connection.execute(_REMOVE, {"dataset": dataset}).rowcount


_SAMPLES_DUE = text("""
SELECT NOT EXISTS (SELECT FROM examples)
    OR EXISTS (SELECT FROM examples WHERE dataset = :dataset AND embedder IS DISTINCT FROM :embedder)
""")


def samples_due(connection: Connection, dataset: str, embedder: str) -> bool:
    """Whether there is no example at all, or one of the samples that this embedder has not embedded."""
    return bool(connection.scalar(_SAMPLES_DUE, {"dataset": dataset, "embedder": embedder}))


_STALE = text("""
SELECT id, text, label FROM examples WHERE embedder IS DISTINCT FROM :embedder AND id > :after ORDER BY id LIMIT :limit
""")


def stale(connection: Connection, embedder: str, after: int, limit: int) -> Sequence[Row[Any]]:
    """Examples that this embedder has not embedded: those behind an id, in order."""
    return connection.execute(_STALE, {"embedder": embedder, "after": after, "limit": limit}).all()


_EMBED = text("""
UPDATE examples SET embedder = :embedder, embedding = CAST(sent.embedding AS halfvec)
FROM unnest(CAST(:ids AS bigint[]), CAST(:embeddings AS text[])) AS sent (id, embedding) WHERE examples.id = sent.id
""")


def embed(connection: Connection, embedder: str, ids: Sequence[int], embeddings: Sequence[Sequence[float]]) -> int:
    """Store new embeddings of examples; how many there still were."""
    parameters = {"embedder": embedder, "ids": ids, "embeddings": [_vector(each) for each in embeddings]}
    return connection.execute(_EMBED, parameters).rowcount


_ANALYZE = text("ANALYZE examples")


def analyze(connection: Connection) -> None:
    """Tell the planner how many there are, so that it takes the index as soon as that pays."""
    connection.execute(_ANALYZE)


def _vector(embedding: Sequence[float]) -> str:
    # The column holds 11 bits of each number, which are less than five digits.
    zeros = [0.0] * (EMBEDDING_DIMENSIONS - len(embedding))
    return f"[{','.join(f'{value:.5g}' for value in [*embedding, *zeros])}]"


def _digest(body: str) -> bytes:
    return sha256(body.encode()).digest()
