"""The parts of a manifest that record how a model was trained and measured; serving does not depend on them."""

from pydantic import Field, JsonValue

from inference.stages import Part


class LabelFigures(Part):
    """The figures of one label; `support` is the number of reviews with that label."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


class StageFigures(Part):
    """The share of the reviews that a stage classified, and its accuracy on them."""

    share: float
    accuracy: float


class Metrics(Part):
    """The figures of one evaluation and its data set; `files.scores` defines them.

    `confusion` is [true label, predicted label]. Models of two stages have `point` and `stages`; with `cross_fitted`
    folds the thresholds were fitted on other reviews of the same data set, and there is no speed.
    """

    dataset: str
    split: str
    date: str
    precision: str
    threads: int
    point: str | None = None
    n: int
    accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    ece: float
    labels: list[LabelFigures]
    confusion: list[list[int]]
    reviews_per_second: float | None = None
    stages: dict[str, StageFigures] = Field(default_factory=dict)
    cross_fitted: int | None = None


class GroupFigures(Part):
    """The figures of one kind, or one range of lengths, of reviews; `recalls` are by label."""

    group: str
    n: int
    accuracy: float
    recalls: dict[str, float]
    ece: float


class AveragedRun(Part):
    """A training run whose weights are averaged in the model, and the sha256 of its file of weights."""

    run: str
    sha256: str


class Training(Part):
    """The record of the training run, and the command of the export.

    `averaged` names all runs if the weights are the mean of several; the other fields are then of the first one.
    """

    command: str = ""
    config: dict[str, JsonValue] = Field(default_factory=dict)
    labels: list[str] = Field(default_factory=list)
    pad_id: int = 0
    rows: dict[str, int] = Field(default_factory=dict)
    libraries: dict[str, str] = Field(default_factory=dict)
    result: dict[str, JsonValue] = Field(default_factory=dict)
    export_command: str = ""
    averaged: list[AveragedRun] = Field(default_factory=list)
