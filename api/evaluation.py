"""The evaluation of a finished job against the labels in its file, as callers see it."""

from typing import Any

from pydantic import BaseModel, Field

from files.scores import score_matrix


class LabelScores(BaseModel):
    """Precision, recall and F1 of one label."""

    precision: float
    recall: float
    f1: float


class Evaluation(BaseModel):
    """The evaluation of a finished job against the labels in its file."""

    labelled: int = Field(description="Rows with a label that the model has, including rows that failed.")
    unknown_labels: int = Field(description="Rows with a label that the model does not have.")
    scored: int = Field(description="Rows with a known label and a prediction; all figures are computed from these.")
    label_meanings: dict[str, str] = Field(description="The label that each value of the label column stands for.")
    unknown_values: dict[str, int] = Field(
        description="The most frequent values that stand for no label, with their number of rows."
    )
    problem: str | None = Field(description="Why there are no figures: the meaning of the labels is not certain.")
    accuracy: float | None
    macro_f1: float | None = Field(
        description="Mean F1 of the labels that occur as true or predicted label, as in scikit-learn's"
        " `f1_score(average='macro')`."
    )
    labels: list[str]
    confusion_matrix: list[list[int]] = Field(
        description="Number of rows: one row for each true label, one column for each predicted label."
    )
    per_label: dict[str, LabelScores]


def evaluation_out(counts: dict[str, Any]) -> Evaluation:
    """Return the figures for the counts of `db.evaluations`; accuracy and macro F1 are None if no row was scored."""
    scores = score_matrix(counts["matrix"], counts["labels"])
    return Evaluation(
        labelled=counts["labelled"],
        unknown_labels=counts["unknown_labels"],
        scored=scores.n,
        label_meanings=counts.get("meanings", {}),
        unknown_values=counts.get("unknown_values", {}),
        problem=counts.get("problem"),
        accuracy=scores.accuracy,
        macro_f1=scores.macro_f1,
        labels=counts["labels"],
        confusion_matrix=counts["matrix"],
        per_label={
            each.label: LabelScores(precision=each.precision, recall=each.recall, f1=each.f1) for each in scores.labels
        },
    )
