"""Tokenise and predict, the two steps that a hostile text can break.

A failing batch is split in two until the review that breaks it is alone and fails alone; the others get their results.
"""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog

from db.claims import ClaimedReview, Outcome
from inference.classifier import Encoded
from monitoring.metrics import ATTEMPTS, BATCH_FILL, BATCH_REVIEWS, STEP_TIME
from worker.context import WorkerContext
from worker.outcomes import exhausted, succeeded

log = structlog.get_logger()

In = TypeVar("In")
Out = TypeVar("Out")
Item = tuple[ClaimedReview, Encoded]


def isolate(step: Callable[[Sequence[In]], list[Out]], items: Sequence[In], attempts: int) -> list[Out | Exception]:
    """Return `step(items)`, a result for each item in order, or the error of an item that failed alone."""
    if not items:
        return []
    try:
        return [result for _, result in zip(items, step(items), strict=True)]  # strict: as many results as items
    except Exception as error:  # noqa: BLE001  the worker's only catch-all: a text may trigger any error
        if len(items) > 1:
            middle = len(items) // 2
            return isolate(step, items[:middle], attempts) + isolate(step, items[middle:], attempts)
        ATTEMPTS.inc()
        log.warning("review_failed_alone", attempts_left=attempts - 1, error=repr(error))
        return [error] if attempts <= 1 else isolate(step, items, attempts - 1)


def tokenise(context: WorkerContext, reviews: Sequence[ClaimedReview]) -> tuple[list[Item], list[Outcome]]:
    """Return the tokenised reviews, and the outcomes of those that the tokeniser failed on."""
    attempts = context.settings.max_attempts
    with STEP_TIME.labels("tokenise").time():
        encoded = isolate(lambda some: context.classifier.tokenise([each.text for each in some]), reviews, attempts)
    pairs = list(zip(reviews, encoded, strict=True))
    broken = [exhausted(review, error, attempts) for review, error in pairs if isinstance(error, Exception)]
    return [(review, each) for review, each in pairs if isinstance(each, Encoded)], broken


def predict(context: WorkerContext, items: Sequence[Item]) -> list[Outcome]:
    """Run the forward pass and post-processing of one micro-batch; return one outcome for each review, in order."""
    attempts = context.settings.max_attempts
    results = isolate(lambda some: _classify(context, some), items, attempts)
    return [
        exhausted(review, result, attempts) if isinstance(result, Exception) else result
        for (review, _), result in zip(items, results, strict=True)
    ]


def _classify(context: WorkerContext, items: Sequence[Item]) -> list[Outcome]:
    encoded = [each for _, each in items]
    began = time.monotonic()
    predictions = context.classifier.postprocess(encoded, context.classifier.forward(encoded))
    took, labels = time.monotonic() - began, context.classifier.info.labels
    _measure([len(each.ids) for each in encoded if not each.settled], took)
    return [succeeded(review, each, labels, began, took) for (review, _), each in zip(items, predictions, strict=True)]


def _measure(lengths: Sequence[int], took: float) -> None:
    """Record a forward pass over reviews of these lengths; a batch settled by the first stage has none."""
    if lengths:
        STEP_TIME.labels("predict").observe(took)
        BATCH_REVIEWS.observe(len(lengths))
        BATCH_FILL.observe(sum(lengths) / (len(lengths) * max(lengths)))
