"""The outcomes of a review: predicted, cached, or failed."""

import time
from collections.abc import Sequence

import structlog

from db.claims import ClaimedReview, KnownPrediction, Outcome
from inference.classifier import Prediction

log = structlog.get_logger()


def succeeded(
    review: ClaimedReview, prediction: Prediction, labels: Sequence[str], began: float, took: float
) -> Outcome:
    """Return the outcome of a prediction; the forward pass began at `began` (monotonic) and took `took` s."""
    return Outcome(
        review_id=review.id,
        job_id=review.job_id,
        tokens=prediction.tokens,
        truncated=prediction.truncated,
        waited_ms=(began - review.claimed) * 1000,
        inference_ms=took * 1000,
        label=labels.index(prediction.sentiment),
        probabilities=[prediction.probabilities[label] for label in labels],
        stage=prediction.stage,
        warnings=prediction.warnings,
        cache_key=review.cache_key.hex() if review.cache_key else None,
    )


def remembered(review: ClaimedReview, known: KnownPrediction) -> Outcome:
    """Return the outcome of a cached prediction."""
    return Outcome(
        review_id=review.id,
        job_id=review.job_id,
        tokens=known.tokens,
        truncated=known.truncated,
        waited_ms=(time.monotonic() - review.claimed) * 1000,
        inference_ms=0.0,
        label=known.label,
        probabilities=known.probabilities,
        stage=known.stage,
        warnings=known.warnings,
        cached=True,
    )


def exhausted(review: ClaimedReview, error: Exception, attempts: int) -> Outcome:
    """Return the outcome of a review that failed alone `attempts` times."""
    log.warning("review_exhausted", job_id=str(review.job_id), review_id=str(review.id), error=repr(error))
    detail = f"the model failed {attempts} times on this review alone: {type(error).__name__}"
    return Outcome(review.id, review.job_id, attempts=attempts, error_code="exhausted", error_detail=detail)
