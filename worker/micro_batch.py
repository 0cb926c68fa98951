"""What is predicted and stored at once. Made by worker.drain from a claim."""

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
    """Reviews of one claim that are predicted together; sorts by lane, then by age."""

    rank: tuple[int, int]
    claim: Claim = field(compare=False)
    items: list[Item] = field(compare=False)
    outcomes: list[Outcome] = field(compare=False)
    last: bool = field(compare=False)

    def span(self, step: str) -> AbstractContextManager[object]:
        """A span around a step, linked to the requests that the reviews came with."""
        told = (review.traceparent for review, _ in self.items)
        claim = self.claim
        return traces.batch(step, told, lane=claim.lane, reviews=len(self.items), batch=str(claim.token))


def known_batch(claim: Claim, *, last: bool) -> MicroBatch:
    """Return the reviews of a claim whose prediction is cached, ready to be stored.

    The worker's pace leaves them out, since nothing is judged.
    """
    answered = [(review, remembered(review, review.known)) for review in claim.reviews if review.known]
    CACHE_HITS.labels("prediction").inc(len(answered))
    # For similar reviews, which tokenise for themselves.
    items = [(review, Encoded((), tokens=0, truncated=False)) for review, _ in answered]
    return MicroBatch((0, 0), claim, items, [outcome for _, outcome in answered], last=last)
