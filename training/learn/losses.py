"""The losses of training: cross entropy, and others that weigh errors differently; `loss:` in the recipe chooses one.

Each module maps logits [reviews, labels], targets [reviews, labels] (each row a distribution: a smoothed true label, or
the prediction of a teacher) and lengths [reviews] (tokens of the whole review, of which the network may see a part) to
one loss for each review, so that weightings can wrap any other loss. The network takes the mean.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.recipes.options import LossConfig


class CrossEntropy(nn.Module):
    """-sum_k t_k log p_k: with a teacher's targets this is distillation (Hinton et al. 2015, section 2)."""

    def forward(self, logits: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:  # noqa: ARG002 - one signature
        return nn.functional.cross_entropy(logits, targets, reduction="none")


class ConfidencePenalised(nn.Module):
    """loss + strength * w^power, where w is the probability of the likeliest label that is not the target's top one.

    Cascades and readers trust confident predictions, so a confident error costs more than a hesitant one. Cross entropy
    also rewards raising correct predictions from 0.95 to 0.99; w^2 is nearly flat there and steepest where a wrong
    label has a high probability. With two labels and power 2 it is half the Brier score (Brier 1950). Unlike the
    entropy penalty of Pereyra et al. 2017 it does not change confident correct predictions.
    """

    def __init__(self, inner: nn.Module, strength: float, power: float) -> None:
        super().__init__()
        self.inner, self.strength, self.power = inner, strength, power

    def forward(self, logits: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
        top = targets.argmax(dim=1, keepdim=True)
        wrong = logits.softmax(dim=1).scatter(1, top, 0.0).amax(dim=1)
        loss: Tensor = self.inner(logits, targets, lengths) + self.strength * wrong**self.power
        return loss


class LengthWeighted(nn.Module):
    """loss * clip((length / reference)^exponent, 1/2, 2).

    The network sees only a part of a long review, which often has arguments for and against: with a negative exponent
    such a noisy label weighs less (importance weighting; Ren et al. 2018 learn such weights). A positive exponent gives
    long reviews more weight. The reference is fixed and not the mean of the batch: batches hold reviews of similar
    length, whose mean would cancel the weight. The clip keeps one-word reviews from dominating a batch.
    """

    def __init__(self, inner: nn.Module, exponent: float, reference: float) -> None:
        super().__init__()
        self.inner, self.exponent, self.reference = inner, exponent, reference

    def forward(self, logits: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
        weights = (lengths.to(logits.dtype) / self.reference).pow(self.exponent).clamp(0.5, 2.0)
        loss: Tensor = weights * self.inner(logits, targets, lengths)
        return loss


class ClassWeighted(nn.Module):
    """loss * n / (labels * n_y), n_y being the training reviews with the label (King and Zeng 2001, section 4).

    Every label then has the same influence, as in macro F1. On balanced data the loss is unchanged. A target that is
    spread over labels takes the mean of their weights.
    """

    weights: Tensor

    def __init__(self, inner: nn.Module, counts: Sequence[int]) -> None:
        super().__init__()
        self.inner = inner
        sizes = torch.tensor(counts, dtype=torch.float32).clamp(min=1)
        # Not saved with the weights of the network.
        self.register_buffer("weights", sizes.sum() / (len(counts) * sizes), persistent=False)

    def forward(self, logits: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
        loss: Tensor = (targets @ self.weights) * self.inner(logits, targets, lengths)
        return loss


def build_loss(config: LossConfig, counts: Sequence[int], reference: float) -> nn.Module:
    """Return a recipe's loss; `counts` are training reviews by label, `reference` their median length in tokens."""
    loss: nn.Module = CrossEntropy()
    if config.kind in {"confidence", "combined"}:
        loss = ConfidencePenalised(loss, config.penalty, config.penalty_power)
    if config.kind in {"length", "combined"}:
        loss = LengthWeighted(loss, config.length_exponent, reference)
    if config.kind in {"class", "combined"}:
        loss = ClassWeighted(loss, counts)
    return loss
