"""A linear classifier over hashed n-grams of token ids: it reads the whole review, and costs microseconds.

It is the first stage of a cascade, and chooses the sentences that the network reads of a long review.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# 2^64 over the golden ratio spreads like keys apart (Knuth, The Art of Computer Programming 3, section 6.4).
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
TOKEN_BITS = np.uint64(21)


def buckets(ids: Sequence[int], order: int, bits: int) -> NDArray[np.int64]:
    """Return the distinct buckets, of 2^bits, that a review's n-grams of 1 to `order` (at most 3) tokens fall into.

    Special tokens take part: they mark where a review begins and ends.
    """
    found = np.sort(np.concatenate(_by_length(ids, order, bits)))
    # As np.unique, which hashes and takes five times as long for 900 n-grams.
    return found[np.concatenate([[True], found[1:] != found[:-1]])] if len(found) else found


def _by_length(ids: Sequence[int], order: int, bits: int) -> list[NDArray[np.int64]]:
    """Return the buckets of the n-grams of each length, in the order of the text.

    Trigrams of 21-bit ids fill 63 bits, so n-grams meet in a bucket only, never in a key.
    """
    tokens = np.asarray(ids, dtype=np.uint64) + np.uint64(1)
    keys, found = tokens, []
    for length in range(1, order + 1):
        if length > 1:
            keys = (keys[:-1] << TOKEN_BITS) + tokens[length - 1 :]
        mixed = (keys ^ (keys >> np.uint64(32))) * GOLDEN
        found.append((mixed >> np.uint64(64 - bits)).view(np.int64))
    return found


@dataclass(frozen=True, slots=True)
class NgramModel:
    """`weights` [2^bits, columns] are int8 in units of `scale`; two labels share one column, the second's lead.

    Logits are divided by one of `temperatures`, by the text's length in tokens: the first for at most `lengths[0]`, the
    last for more than all `lengths`. Of a text of fewer than `min_tokens` the model says nothing.
    """

    weights: NDArray[np.int8]
    scale: NDArray[np.float32]
    bias: NDArray[np.float32]
    order: int
    temperatures: Sequence[float] = (1.0,)
    lengths: Sequence[int] = ()
    min_tokens: int = 0

    def logits(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Return calibrated logits [labels]: the sum of the review's weights over the root of their number.

        All are 0 of a text of fewer than `min_tokens`.
        """
        if len(ids) < self.min_tokens:
            return np.zeros(max(2, self.weights.shape[1]), dtype=np.float32)
        found = buckets(ids, self.order, self.weights.shape[0].bit_length() - 1)
        total = self.weights[found].sum(axis=0, dtype=np.int32) * self.scale
        temperature = self.temperatures[bisect_left(self.lengths, len(ids))]
        scores = (total / np.sqrt(max(len(found), 1)) + self.bias) / temperature
        return np.concatenate([[0.0], scores] if len(scores) == 1 else [scores]).astype(np.float32)

    def weight_of_tokens(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Return how much each token [tokens] takes part in a verdict, towards any label.

        An n-gram's weight is shared out evenly among its tokens; the result is the absolute sum of each token's shares.
        """
        total = np.zeros((len(ids), self.weights.shape[1]), dtype=np.float32)
        grams = _by_length(ids, self.order, self.weights.shape[0].bit_length() - 1)
        for length, found in enumerate(grams, start=1):
            shares = self.weights[found] * (self.scale / np.float32(length))
            for place in range(length):
                total[place : place + len(shares)] += shares
        return np.asarray(np.abs(total).sum(axis=1), dtype=np.float32)

    def judge(self, reviews: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return calibrated logits [reviews, labels]; there must be a review."""
        return np.stack([self.logits(ids) for ids in reviews])

    def write(self, path: Path) -> None:
        """Write an .npz file."""
        np.savez_compressed(path, **asdict(self))

    @classmethod
    def read(cls, path: Path) -> "NgramModel":
        """Read what `write` has written; files before version 3 of the default model hold one `temperature`."""
        with np.load(path) as values:
            temperatures = values["temperatures"] if "temperatures" in values else values["temperature"].reshape(1)
            return cls(
                values["weights"],
                values["scale"],
                values["bias"],
                int(values["order"]),
                temperatures.tolist(),
                values["lengths"].tolist() if "lengths" in values else (),
                int(values.get("min_tokens", 0)),
            )
