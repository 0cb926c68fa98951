"""Statements about examples: store labelled reviews, and find those nearest to a review."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from sqlalchemy import Connection, text

from db.rows import all_rows
from db.vectors import EMBEDDING_DIMENSIONS

SHOWN_CHARS = 600  # of a text, before it is cleaned and cut


@dataclass(frozen=True, slots=True)
class NewExample:
    """A labelled review to add; `embedding` is a unit vector, or None without an embedder."""

    text: str
    label: str
    group_key: str | None
    embedding: Sequence[float] | None


@dataclass(slots=True)
class StaleExample:
    """An example without an embedding by the present embedder."""

    id: int
    text: str
    label: str


@dataclass(slots=True)
class LabelCount:
    """The examples of a data set with one label, and how many of them are embedded."""

    dataset: str
    label: str
    examples: int
    embedded: int


@dataclass(frozen=True, slots=True)
class SimilarQuery:
    """A classified review, its embedding, and the number of similar reviews to find."""

    review_id: UUID
    text: str
    embedding: Sequence[float]
    count: int


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An example near a review: the beginning of its text, its label and the cosine similarity of the embeddings."""

    review_id: UUID
    text: str
    label: str
    similarity: float


# One index scan for each review. Five more than wanted: the review itself may be an example in several data sets.
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
    """Return the nearest examples of each review, nearest first, without duplicates and the review's own text."""
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
    """Add examples to a data set; return how many are new or changed. Of duplicate texts the last one is used."""
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


def datasets(connection: Connection, embedder: str | None) -> list[LabelCount]:
    """Return, for each data set and label, the number of examples and of those embedded by this embedder."""
    return all_rows(LabelCount, connection.execute(_DATASETS, {"embedder": embedder}))


# Deleting a large data set takes longer than a request's limit.
_LONG_TIMEOUT = text("SET LOCAL statement_timeout = '10min'")
_REMOVE = text("DELETE FROM examples WHERE dataset = :dataset")


def remove(connection: Connection, dataset: str) -> int:
    """Remove a data set; return its number of examples. Stored results keep the similar reviews that they show."""
    connection.execute(_LONG_TIMEOUT)
    return connection.execute(_REMOVE, {"dataset": dataset}).rowcount


_SAMPLES_DUE = text("""
SELECT NOT EXISTS (SELECT FROM examples)
    OR EXISTS (SELECT FROM examples WHERE dataset = :dataset AND embedder IS DISTINCT FROM :embedder)
""")


def samples_due(connection: Connection, dataset: str, embedder: str) -> bool:
    """Return whether there is no example at all, or a sample that this embedder has not embedded."""
    return bool(connection.scalar(_SAMPLES_DUE, {"dataset": dataset, "embedder": embedder}))


_STALE = text("""
SELECT id, text, label FROM examples WHERE embedder IS DISTINCT FROM :embedder AND id > :after ORDER BY id LIMIT :limit
""")


def stale(connection: Connection, embedder: str, after: int, limit: int) -> list[StaleExample]:
    """Return examples with an id above `after` that this embedder has not embedded, in order of their ids."""
    parameters = {"embedder": embedder, "after": after, "limit": limit}
    return all_rows(StaleExample, connection.execute(_STALE, parameters))


_EMBED = text("""
UPDATE examples SET embedder = :embedder, embedding = CAST(sent.embedding AS halfvec)
FROM unnest(CAST(:ids AS bigint[]), CAST(:embeddings AS text[])) AS sent (id, embedding) WHERE examples.id = sent.id
""")


def embed(connection: Connection, embedder: str, ids: Sequence[int], embeddings: Sequence[Sequence[float]]) -> int:
    """Store new embeddings of examples; return how many of the examples still exist."""
    parameters = {"embedder": embedder, "ids": ids, "embeddings": [_vector(each) for each in embeddings]}
    return connection.execute(_EMBED, parameters).rowcount


_ANALYZE = text("ANALYZE examples")


def analyze(connection: Connection) -> None:
    """Update the planner's statistics, so that it uses the index as soon as that pays."""
    connection.execute(_ANALYZE)


def _vector(embedding: Sequence[float]) -> str:
    # The column holds 11 bits of each number, fewer than five decimal digits.
    zeros = [0.0] * (EMBEDDING_DIMENSIONS - len(embedding))
    return f"[{','.join(f'{value:.5g}' for value in [*embedding, *zeros])}]"


def _digest(body: str) -> bytes:
    return sha256(body.encode()).digest()
