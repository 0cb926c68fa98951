"""Add similar reviews to the outcomes of classified reviews: embed the texts, and look up their neighbours.

This runs during the next prediction, before the results are stored and jobs are locked, so that similar reviews are
part of the result from the start. If the search fails, the review has no similar reviews, but still its result.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias
from uuid import UUID

import numpy as np
import structlog

from db import examples
from db.claims import Outcome
from db.engine import Engine, reading
from db.examples import SimilarQuery
from inference.cleaning import clean
from inference.embedder import Embedder
from monitoring.metrics import STEP_TIME
from worker.context import WorkerContext
from worker.predict import Item

MOST_CHARS = 500  # of a text that is shown

log = structlog.get_logger()

Shown: TypeAlias = dict[str, str | float]


def with_similar(context: WorkerContext, items: Sequence[Item], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes of these reviews, with similar reviews if their job wants them and any are found."""
    predicted = {each.review_id: each.probabilities for each in outcomes if each.probabilities}
    pairs = [(item, predicted[item[0].id]) for item in items if item[0].similar_wanted and item[0].id in predicted]
    if not pairs or context.embedder is None:
        return list(outcomes)
    try:
        with STEP_TIME.labels("similar").time():
            found = _find(context.engine, context.embedder, pairs)
    except Exception as error:  # noqa: BLE001  no error here may cost the predictions, which exist already
        log.warning("similar_reviews_failed", error=repr(error), reviews=len(pairs))
        return list(outcomes)
    return [replace(each, similar_reviews=found.get(each.review_id)) for each in outcomes]


def _find(engine: Engine, embedder: Embedder, pairs: Sequence[tuple[Item, Sequence[float]]]) -> dict[UUID, list[Shown]]:
    # Tokenising is the largest cost, and the first stage has done it already.
    ids = [encoded.whole or embedder.tokens(review.text) for (review, encoded), _ in pairs]
    # Embeddings use the model's own labels, without the third one of `inference.neutral`.
    own = np.array([each[: len(embedder.labels)] for _, each in pairs])
    embeddings = embedder.embed_tokens(ids, own / own.sum(axis=1, keepdims=True)).tolist()
    wanted = [
        SimilarQuery(review.id, review.text, embedding, review.similar_wanted)
        for ((review, _), _), embedding in zip(pairs, embeddings, strict=True)
    ]
    found = defaultdict(list)
    with reading(engine) as connection:
        for near in examples.nearest(connection, embedder.digest, wanted):
            similarity = round(min(near.similarity, 1.0), 4)  # the accuracy of half precision
            shown: Shown = {"text": cut(clean(near.text)), "sentiment": near.label, "similarity": similarity}
            found[near.review_id].append(shown)
    return found


def cut(text: str) -> str:
    """Shorten a text to 500 characters with an ellipsis, after a whole word if possible."""
    return text if len(text) <= MOST_CHARS else text[: MOST_CHARS - 1].rsplit(" ", 1)[0] + "…"
