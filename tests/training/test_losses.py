"""Each loss against its formula, worked out by hand for a few reviews."""

# ruff: noqa: E402 - the skip must come before the library that may be absent

import math

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")

from torch import Tensor, nn

from training.learn.losses import ClassWeighted, ConfidencePenalised, CrossEntropy, LengthWeighted, build_loss
from training.recipes.options import LossConfig

# Of three labels: sure and right, sure and wrong, undecided.
PROBABILITIES = [[0.9, 0.08, 0.02], [0.9, 0.08, 0.02], [1 / 3, 1 / 3, 1 / 3]]
TARGETS = torch.eye(3)
LENGTHS = torch.tensor([100.0, 25.0, 1.0])


@pytest.fixture
def logits() -> Tensor:
    rows: Tensor = torch.tensor(PROBABILITIES).log().requires_grad_()
    return rows


def values(loss: nn.Module, logits: Tensor) -> list[float]:
    found: list[float] = loss(logits, TARGETS, LENGTHS).tolist()
    return found


def test_cross_entropy_is_the_logarithm_of_the_true_labels_share(logits: Tensor) -> None:
    assert values(CrossEntropy(), logits) == pytest.approx([-math.log(0.9), -math.log(0.08), math.log(3)], rel=1e-5)


def test_a_teachers_answer_is_learnt_as_a_whole() -> None:
    logits, targets = torch.tensor([[0.9, 0.1]]).log(), torch.tensor([[0.6, 0.4]])
    found = CrossEntropy()(logits, targets, LENGTHS[:1])
    assert found.item() == pytest.approx(-0.6 * math.log(0.9) - 0.4 * math.log(0.1), rel=1e-5)


def test_a_confident_mistake_costs_most_and_a_confident_right_answer_next_to_nothing(logits: Tensor) -> None:
    plain = values(CrossEntropy(), logits)
    penalised = values(ConfidencePenalised(CrossEntropy(), strength=2, power=2), logits)
    extra = [after - before for before, after in zip(plain, penalised, strict=True)]
    assert extra == pytest.approx([2 * 0.08**2, 2 * 0.9**2, 2 / 9], rel=1e-4)


def test_with_two_labels_the_penalty_is_half_the_brier_score() -> None:
    logits, targets = torch.tensor([[0.3, -1.2]]), torch.tensor([[0.0, 1.0]])
    share = logits.softmax(dim=1)[0]
    loss = ConfidencePenalised(CrossEntropy(), strength=1, power=2)
    penalty = loss(logits, targets, LENGTHS[:1]) - CrossEntropy()(logits, targets, LENGTHS[:1])
    assert penalty.item() == pytest.approx(((share[0] ** 2 + (1 - share[1]) ** 2) / 2).item(), rel=1e-5)


def test_long_reviews_count_less_within_the_bounds(logits: Tensor) -> None:
    plain = values(CrossEntropy(), logits)
    weighted = values(LengthWeighted(CrossEntropy(), exponent=-0.5, reference=49), logits)
    assert weighted == pytest.approx([0.7 * plain[0], 1.4 * plain[1], 2 * plain[2]], rel=1e-5)


def test_each_label_has_the_same_say_whatever_its_share(logits: Tensor) -> None:
    plain = values(CrossEntropy(), logits)
    weighted = values(ClassWeighted(CrossEntropy(), [60, 30, 10]), logits)
    assert weighted == pytest.approx([plain[0] * 100 / 180, plain[1] * 100 / 90, plain[2] * 100 / 30], rel=1e-5)


def test_balanced_labels_are_left_as_they_are(logits: Tensor) -> None:
    assert values(ClassWeighted(CrossEntropy(), [5, 5, 5]), logits) == values(CrossEntropy(), logits)


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        ("cross_entropy", [CrossEntropy]),
        ("confidence", [ConfidencePenalised, CrossEntropy]),
        ("length", [LengthWeighted, CrossEntropy]),
        ("class", [ClassWeighted, CrossEntropy]),
        ("combined", [ClassWeighted, LengthWeighted, ConfidencePenalised, CrossEntropy]),
    ],
)
def test_a_recipe_names_its_loss(kind: str, parts: list[type[nn.Module]], logits: Tensor) -> None:
    loss = build_loss(LossConfig.model_validate({"kind": kind}), [4, 3, 2], reference=49)
    assert [type(module) for module in loss.modules()] == parts
    loss(logits, TARGETS, LENGTHS).mean().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_the_saved_network_holds_nothing_of_its_loss() -> None:
    assert not build_loss(LossConfig(kind="combined"), [4, 3, 2], reference=49).state_dict()
