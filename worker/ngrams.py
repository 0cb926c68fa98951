"""A linear classifier over hashed n-grams of token ids: it reads the whole review, and costs microseconds.

Called by `worker.cascade`, whose first stage it is, and by `training.ngrams`, which fits it.
"""

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

    Trigrams of 21-bit ids fill 63 bits, so n-grams meet in a bucket only, never in a key. Special tokens take part:
    they mark where a review begins and ends.
    """
    tokens = np.asarray(ids, dtype=np.uint64) + np.uint64(1)
    keys, grams = tokens, [tokens]
    for length in range(2, order + 1):
        keys = (keys[:-1] << TOKEN_BITS) + tokens[length - 1 :]
        grams.append(keys)
    mixed = np.concatenate(grams)
    mixed = (mixed ^ (mixed >> np.uint64(32))) * GOLDEN
    found = np.sort((mixed >> np.uint64(64 - bits)).view(np.int64))
    # As np.unique, which hashes and takes five times as long for 900 n-grams.
    return found[np.concatenate([[True], found[1:] != found[:-1]])] if len(found) else found


@dataclass(frozen=True, slots=True)
class NgramModel:
    """`weights` [2^bits, columns] are int8 in units of `scale`; two labels share one column, the second's lead.

    Of a text of fewer than `min_tokens` it says nothing: "not bad at all" is one phrase against it, a review has fifty.
    """

    weights: NDArray[np.int8]
    scale: NDArray[np.float32]
    bias: NDArray[np.float32]
    order: int
    temperature: float
    min_tokens: int = 0

    def logits(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Return calibrated logits [labels]: the sum of the review's weights over the root of their number."""
        if len(ids) < self.min_tokens:
            return np.zeros(max(2, self.weights.shape[1]), dtype=np.float32)
        found = buckets(ids, self.order, self.weights.shape[0].bit_length() - 1)
        total = self.weights[found].sum(axis=0, dtype=np.int32) * self.scale
        scores = (total / np.sqrt(max(len(found), 1)) + self.bias) / self.temperature
        return np.concatenate([[0.0], scores] if len(scores) == 1 else [scores]).astype(np.float32)

    def judge(self, reviews: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return calibrated logits [reviews, labels]; there must be a review."""
        return np.stack([self.logits(ids) for ids in reviews])

    def write(self, path: Path) -> None:
        """Write an .npz file."""
        np.savez_compressed(path, **asdict(self))

    @classmethod
    def read(cls, path: Path) -> "NgramModel":
        """Read what `write` has written."""
        with np.load(path) as values:
            return cls(
                values["weights"],
                values["scale"],
                values["bias"],
                int(values["order"]),
                float(values["temperature"]),
                int(values.get("min_tokens", 0)),
            )
