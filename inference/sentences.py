"""Shorten a long review to the sentences that carry its sentiment, as weighed by linear n-grams.

On 1,525 validation reviews the network of version 2 had an accuracy of 92.5 % with 128 tokens chosen this way, 90.8 %
with the first and last 64 tokens, and 92.1 % with the first and last 128, at twice the cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.ngrams import NgramModel

SENTENCE_ENDS = (".", "!", "?", ";")
# A longer sentence is cut into pieces, so that some of it fits.
LONGEST, PIECE = 48, 32
# Between the sum of the weights, which favours long sentences, and their mean, which favours single words.
LENGTH_EXPONENT = 0.7
SHORTEST = 4


@dataclass(frozen=True, slots=True)
class Sentences:
    """The weights by which sentences are chosen, and the ids of the tokens that end one."""

    ngrams: NgramModel
    ends: frozenset[int]

    def choose(self, ids: Sequence[int], max_tokens: int) -> tuple[int, ...]:
        """Return at most `max_tokens` ids in order: the special first and last, and the sentences of most weight."""
        if len(ids) <= max_tokens:
            return tuple(ids)
        body = ids[1:-1]
        spans = self._spans(body)
        weights = np.concatenate([[0.0], self.ngrams.weight_of_tokens(ids)[1:-1].cumsum()])
        scores = [(weights[end] - weights[begin]) / (end - begin + SHORTEST) ** LENGTH_EXPONENT for begin, end in spans]
        left, kept = max_tokens - 2, []
        for place in np.argsort(-np.asarray(scores), kind="stable"):
            begin, end = spans[place]
            if end - begin <= left:
                kept.append((begin, end))
                left -= end - begin
        return (ids[0], *(token for begin, end in sorted(kept) for token in body[begin:end]), ids[-1])

    def _spans(self, body: Sequence[int]) -> list[tuple[int, int]]:
        """Return begin and end of each sentence; consecutive punctuation marks end one sentence."""
        spans, begin = [], 0
        for place, token in enumerate(body, start=1):
            last = place == len(body)
            if last or (token in self.ends and body[place] not in self.ends):
                while place - begin > LONGEST:
                    spans.append((begin, begin + PIECE))
                    begin += PIECE
                spans.append((begin, place))
                begin = place
        return spans
