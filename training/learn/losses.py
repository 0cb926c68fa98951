"""What training minimises: cross entropy, and losses that change what a mistake costs. Chosen by `loss:` in the recipe.

Called by `training.learn.model`. Each module maps logits [reviews, labels], targets [reviews, labels] (each row a
distribution: a smoothed true label, or what a teacher says) and lengths [reviews] (tokens of the whole review, of which
the network may have seen a part) to one loss a review, so that weightings wrap any other; the network takes the mean.
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

    A cascade and a reader both trust confident answers, so a confident mistake costs them more than a hesitant one.
    Cross entropy alone also rewards pushing right answers from 0.95 to 0.99; w^2 is nearly flat there and steepest
    where a wrong label is believed. With two labels and power 2 it is half the Brier score (Brier 1950). Unlike the
    entropy penalty of Pereyra et al. 2017 it does not touch answers that are confident and right.
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

    A long review is seen in part only, and weighs for and against: with a negative exponent its label counts less,
    as a noisier one should (importance weighting; Ren et al. 2018 learn such weights). A positive exponent asks the
    opposite, more effort for the hard ones. The reference is fixed, not the batch's mean: batches hold reviews of
    like length, whose mean would cancel the weight. The clip keeps one-word reviews from ruling a batch.
    """

    def __init__(self, inner: nn.Module, exponent: float, reference: float) -> None:
        super().__init__()
        self.inner, self.exponent, self.reference = inner, exponent, reference

    def forward(self, logits: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
        weights = (lengths.to(logits.dtype) / self.reference).pow(self.exponent).clamp(0.5, 2.0)
        loss: Tensor = weights * self.inner(logits, targets, lengths)
        return loss


class ClassWeighted(nn.Module):
    """loss * n / (labels * n_y), n_y being the training reviews that bear the label (King and Zeng 2001, section 4).

    Every label then has the same say whatever its share, which macro F1 asks for. On balanced data it changes nothing.
    A target that is spread over labels takes the mean of their weights.
    """

    weights: Tensor

    def __init__(self, inner: nn.Module, counts: Sequence[int]) -> None:
        super().__init__()
        self.inner = inner
        sizes = torch.tensor(counts, dtype=torch.float32).clamp(min=1)
        # Not part of the weights that are saved and served.
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
