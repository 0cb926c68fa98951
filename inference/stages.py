"""The parts of a manifest for a model of two stages, and for `neutral` as a third label."""

import math
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, JsonValue, model_validator

# The operating point at which the network reads every review; every model of two stages has it.
FULL = "full"


class Part(BaseModel):
    """A part of a manifest; unknown keys are kept, so that an older Verdict reads newer manifests."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())


class Stack(Part):
    """The weights that join calibrated logits: `network_weight * network + ngram_weight * ngram + bias`.

    `bias` has one number for each label.
    """

    network_weight: FiniteFloat
    ngram_weight: FiniteFloat
    bias: list[FiniteFloat]


class Cascade(Part):
    """The file of the first stage, the weights that join both stages, and the thresholds of the operating points.

    `stacks[i]` is for reviews of at most `lengths[i]` tokens, the last one for longer reviews. The n-grams never
    classify reviews shorter than `settle_from` tokens alone: the network is cheap for those, and the n-grams often
    wrong. `points` maps an operating point to the confidence from which the n-grams classify alone. `training` is the
    record of their fit.
    """

    ngrams: str
    settle_from: int = 0
    lengths: list[int] = Field(default_factory=list)
    stacks: list[Stack]
    points: dict[str, FiniteFloat]
    default: str
    training: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _one_stack(cls, values: Any) -> Any:
        """Read manifests before version 3 of the default model, which have the same weights for every length."""
        if isinstance(values, dict) and "stacks" not in values:
            stack = {name: values[name] for name in Stack.model_fields if name in values}
            return {name: value for name, value in values.items() if name not in stack} | {"stacks": [stack]}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> "Cascade":
        if FULL in self.points:
            raise ValueError(f"{FULL} is the point at which no threshold applies")
        if self.default not in {*self.points, FULL}:
            raise ValueError(f"the default point {self.default} is none of the points")
        if len(self.stacks) != len(self.lengths) + 1 or sorted(self.lengths) != self.lengths:
            raise ValueError("stacks must be one more than lengths, which must ascend")
        return self

    def threshold(self, point: str | None) -> float:
        """Return the confidence from which the n-grams classify alone, infinite at `full`; None is the default point.

        Raises:
            ValueError: the model has no such point.
        """
        name = point or self.default
        if name == FULL:
            return math.inf
        if name not in self.points:
            raise ValueError(f"The operating point is one of {', '.join([*self.points, FULL])}, not {name}.")
        return self.points[name]


class Neutral(Part):
    """The share of a prediction that goes to `neutral`: logistic in `offset - slope * |log odds of the two labels|`."""

    slope: FiniteFloat = Field(gt=0)
    offset: FiniteFloat
