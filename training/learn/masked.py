"""Masked-language modelling: the network with its head, the masking of tokens, and the order of windows.

All random numbers are drawn from a seed and a step, so a resumed run gives the same result.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from inference.classifier import Encoded, pad

# Batches that are sorted by length together: little padding, and still a random order.
SHUFFLED_TOGETHER = 50


class MaskedLanguageModel(nn.Module):
    """An encoder and the head of BERT over its own embedding table, computed for hidden tokens only.

    At 20 % hidden tokens the head costs a fifth of the encoder of all-MiniLM-L6-v2; over all tokens as much as it.
    """

    def __init__(self, encoder: PreTrainedModel) -> None:
        super().__init__()
        width, vocabulary = int(encoder.config.hidden_size), int(encoder.config.vocab_size)
        self.encoder = encoder
        self.transform = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, ids: Tensor, mask: Tensor, hidden: Tensor, truth: Tensor) -> Tensor:
        """Return the mean cross entropy, in nats, of the true ids [n] of the hidden positions [n, 2]."""
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state[hidden[:, 0], hidden[:, 1]]
        table: Any = self.encoder.get_input_embeddings()
        logits = nn.functional.linear(self.transform(states), table.weight, self.bias)
        return nn.functional.cross_entropy(logits, truth)


@dataclass(frozen=True, slots=True)
class Masking:
    """Hides a share of the tokens as BERT does, 80 % masked, 10 % random, 10 % left (Devlin et al. 2019, 3.1)."""

    share: float
    mask_id: int
    pad_id: int
    special: frozenset[int]
    vocabulary: int

    def batch(self, windows: Sequence[NDArray[np.int32]], rng: np.random.Generator) -> tuple[Tensor, ...]:
        """Return ids and mask [windows, longest], the hidden positions [n, 2] and their true ids [n]."""
        ids, mask = pad([Encoded(tuple(window.tolist()), len(window), False) for window in windows], self.pad_id)
        open_to_hide = (mask == 1) & ~np.isin(ids, list(self.special))
        hidden = np.argwhere(open_to_hide & (rng.random(ids.shape) < self.share))
        if not len(hidden):  # the mean over no token is NaN
            hidden = np.argwhere(open_to_hide)[:1]
        rows, columns = hidden.T
        truth, fate = ids[rows, columns].copy(), rng.random(len(hidden))
        shown = np.where(fate < 0.8, self.mask_id, rng.integers(0, self.vocabulary, len(hidden)))
        ids[rows, columns] = np.where(fate < 0.9, shown, truth)
        return tuple(torch.from_numpy(array) for array in (ids, mask, hidden, truth))


def cut(ids: Sequence[int], max_tokens: int) -> list[NDArray[np.int32]]:
    """Return a review as windows of at most `max_tokens`, each between the two special tokens of the review."""
    inner = np.asarray(ids[1:-1], dtype=np.int32)
    parts = [inner[start : start + max_tokens - 2] for start in range(0, len(inner), max_tokens - 2)]
    return [np.concatenate([[ids[0]], part, [ids[-1]]]).astype(np.int32) for part in parts]


def order(sizes: Sequence[int], batch_size: int, steps: int, seed: int) -> Iterator[list[int]]:
    """Yield `steps` batches of indices, epoch after epoch, each of windows of similar length, the same for a seed."""
    done = 0
    for epoch in range(steps):
        rng = np.random.default_rng([seed, epoch])
        shuffled = rng.permutation(len(sizes))
        for start in range(0, len(sizes), batch_size * SHUFFLED_TOGETHER):
            pool = sorted(shuffled[start : start + batch_size * SHUFFLED_TOGETHER].tolist(), key=sizes.__getitem__)
            batches = [pool[first : first + batch_size] for first in range(0, len(pool), batch_size)]
            for place in rng.permutation(len(batches)).tolist():
                if done == steps:
                    return
                yield batches[place]
                done += 1
