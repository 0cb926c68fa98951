"""A linear classifier over hashed n-grams of token ids; it reads the whole review in microseconds.

It is the first stage of a cascade, and it chooses the sentences of a long review that the network reads.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# 2^64 over the golden ratio separates similar keys (Knuth, The Art of Computer Programming 3, section 6.4).
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
TOKEN_BITS = np.uint64(21)


def buckets(ids: Sequence[int], order: int, bits: int) -> NDArray[np.int64]:
    """Return the distinct buckets, of 2^bits, of the n-grams of a review; n-grams have 1 to `order` (at most 3) tokens.

    Special tokens are included: they mark where a review begins and ends.
    """
    found = np.sort(np.concatenate(_by_length(ids, order, bits)))
    # The same as np.unique, which takes five times as long for 900 n-grams.
    return found[np.concatenate([[True], found[1:] != found[:-1]])] if len(found) else found


def _by_length(ids: Sequence[int], order: int, bits: int) -> list[NDArray[np.int64]]:
    """Return the buckets of the n-grams of each length, in the order of the text.

    Trigrams of 21-bit ids fill 63 bits, so two n-grams can share a bucket but never a key.
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
    """The fitted model: `weights` [2^bits, columns] are int8 in units of `scale` [columns].

    With two labels there is one column: the logit of the second label minus that of the first. Logits are divided by
    one of `temperatures`, chosen by the length in tokens: the first up to `lengths[0]`, the last above all `lengths`.
    The model gives no opinion on a text of fewer than `min_tokens`.
    """

    weights: NDArray[np.int8]
    scale: NDArray[np.float32]
    bias: NDArray[np.float32]
    order: int
    temperatures: Sequence[float] = (1.0,)
    lengths: Sequence[int] = ()
    min_tokens: int = 0

    def logits(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Return calibrated logits [labels]: the sum of the weights of the n-grams over the root of their number.

        All are 0 for a text of fewer than `min_tokens`.
        """
        if len(ids) < self.min_tokens:
            return np.zeros(max(2, self.weights.shape[1]), dtype=np.float32)
        found = buckets(ids, self.order, self.weights.shape[0].bit_length() - 1)
        total = self.weights[found].sum(axis=0, dtype=np.int32) * self.scale
        temperature = self.temperatures[bisect_left(self.lengths, len(ids))]
        scores = (total / np.sqrt(max(len(found), 1)) + self.bias) / temperature
        return np.concatenate([[0.0], scores] if len(scores) == 1 else [scores]).astype(np.float32)

    def weight_of_tokens(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Return how much each token [tokens] contributes to the logits, whichever the label.

        The weight of an n-gram is divided evenly among its tokens; the result is the absolute sum for each token.
        """
        total = np.zeros((len(ids), self.weights.shape[1]), dtype=np.float32)
        grams = _by_length(ids, self.order, self.weights.shape[0].bit_length() - 1)
        for length, found in enumerate(grams, start=1):
            shares = self.weights[found] * (self.scale / np.float32(length))
            for place in range(length):
                total[place : place + len(shares)] += shares
        return np.asarray(np.abs(total).sum(axis=1), dtype=np.float32)

    def judge(self, reviews: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return calibrated logits [reviews, labels] for at least one review."""
        return np.stack([self.logits(ids) for ids in reviews])

    def write(self, path: Path) -> None:
        """Write an .npz file."""
        np.savez_compressed(path, **asdict(self))

    @classmethod
    def read(cls, path: Path) -> "NgramModel":
        """Read a file made by `write`; files before version 3 of the default model hold one `temperature`."""
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
