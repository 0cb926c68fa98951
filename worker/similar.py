"""Similar reviews of what was just judged: embed, look up, hand on with the outcomes. Called by worker.drain.

Called beside the next prediction, before the results are stored and no job is locked yet, so that they are part of
the answer from its beginning. A review shows none rather than fail, or wait, for want of them.
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

MOST_CHARS = 500  # shown of a text

log = structlog.get_logger()

Shown: TypeAlias = dict[str, str | float]


def with_similar(context: WorkerContext, items: Sequence[Item], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes of these reviews, with similar reviews where their job wants them and there are some."""
    judged = {each.review_id: each.probabilities for each in outcomes if each.probabilities}
    pairs = [(item, judged[item[0].id]) for item in items if item[0].similar_wanted and item[0].id in judged]
    if not pairs or context.embedder is None:
        return list(outcomes)
    try:
        with STEP_TIME.labels("similar").time():
            found = _find(context.engine, context.embedder, pairs)
    except Exception as error:  # noqa: BLE001  whatever it is, the answers are there and must not be lost over it
        log.warning("similar_reviews_failed", error=repr(error), reviews=len(pairs))
        return list(outcomes)
    return [replace(each, similar_reviews=found.get(each.review_id)) for each in outcomes]


def _find(engine: Engine, embedder: Embedder, pairs: Sequence[tuple[Item, Sequence[float]]]) -> dict[UUID, list[Shown]]:
    # Tokenising is the largest cost, and a first stage has done it.
    ids = [encoded.whole or embedder.tokens(review.text) for (review, encoded), _ in pairs]
    # Embeddings know the model's own labels only, not the third one of `inference.neutral`.
    own = np.array([each[: len(embedder.labels)] for _, each in pairs])
    embeddings = embedder.embed_tokens(ids, own / own.sum(axis=1, keepdims=True)).tolist()
    wanted = [
        SimilarQuery(review.id, review.text, embedding, review.similar_wanted)
        for ((review, _), _), embedding in zip(pairs, embeddings, strict=True)
    ]
    found = defaultdict(list)
    with reading(engine) as connection:
        for near in examples.nearest(connection, embedder.digest, wanted):
            similarity = round(min(near.similarity, 1.0), 4)  # what half precision can say
            shown: Shown = {"text": cut(clean(near.text)), "sentiment": near.label, "similarity": similarity}
            found[near.review_id].append(shown)
    return found


def cut(text: str) -> str:
    """At most 500 characters, cut behind a word where there is one, with an ellipsis for the rest."""
    return text if len(text) <= MOST_CHARS else text[: MOST_CHARS - 1].rsplit(" ", 1)[0] + "…"
