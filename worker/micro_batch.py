"""Micro-batches: the reviews of a claim that are predicted and stored together."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from db.claims import Claim, Outcome
from inference.classifier import Encoded
from monitoring import traces
from monitoring.metrics import CACHE_HITS
from worker.outcomes import remembered
from worker.predict import Item


@dataclass(order=True, frozen=True, slots=True)
class MicroBatch:
    """Reviews of one claim that are predicted together; ordered by lane, then by age."""

    rank: tuple[int, int]
    claim: Claim = field(compare=False)
    items: list[Item] = field(compare=False)
    outcomes: list[Outcome] = field(compare=False)
    last: bool = field(compare=False)

    def span(self, step: str) -> AbstractContextManager[object]:
        """Return a span around a step, linked to the requests that submitted the reviews."""
        parents = (review.traceparent for review, _ in self.items)
        claim = self.claim
        return traces.batch(step, parents, lane=claim.lane, reviews=len(self.items), batch=str(claim.token))


def known_batch(claim: Claim, *, last: bool) -> MicroBatch:
    """Return the reviews of a claim whose predictions are cached, ready to be stored.

    They do not count for the worker's pace, since nothing is predicted.
    """
    answered = [(review, remembered(review, review.known)) for review in claim.reviews if review.known]
    CACHE_HITS.labels("prediction").inc(len(answered))
    # Without tokens: the search for similar reviews tokenises these texts itself.
    items = [(review, Encoded((), tokens=0, truncated=False)) for review, _ in answered]
    return MicroBatch((0, 0), claim, items, [outcome for _, outcome in answered], last=last)
