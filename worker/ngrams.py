"""A linear classifier over hashed n-grams of token ids: it reads the whole review, and costs microseconds.

Called by `training.ngrams`, which fits it. On the surest half of the reviews it is right 99 times in 100.
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
    return np.unique(mixed >> np.uint64(64 - bits)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class NgramModel:
    """`weights` [2^bits, columns] are int8 in units of `scale`; two labels share one column, the second's lead."""

    weights: NDArray[np.int8]
    scale: NDArray[np.float32]
    bias: NDArray[np.float32]
    order: int
    temperature: float

    def logits(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Return calibrated logits [labels]: the sum of the review's weights over the root of their number."""
        found = buckets(ids, self.order, self.weights.shape[0].bit_length() - 1)
        total = self.weights[found].sum(axis=0, dtype=np.int32) * self.scale
        scores = (total / np.sqrt(max(len(found), 1)) + self.bias) / self.temperature
        return np.concatenate([[0.0], scores] if len(scores) == 1 else [scores]).astype(np.float32)

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
            )
