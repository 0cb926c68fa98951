"""What is predicted and stored at once. Made by worker.drain from a claim."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from db.claims import Claim, Outcome
from monitoring import traces
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
