"""A finished job held against the labels of its file: what callers see of the counts that db.evaluations made."""

from typing import Any

from pydantic import BaseModel, Field

from files.scores import score_matrix


class LabelScores(BaseModel):
    """How well one label was found."""

    precision: float
    recall: float
    f1: float


class Evaluation(BaseModel):
    """A finished job held against the labels that came with its file."""

    labelled: int = Field(description="Rows whose label the model knows; those that failed are in none of the figures.")
    unknown_labels: int = Field(description="Rows with another label.")
    scored: int = Field(description="Rows with a known label and a prediction: all figures are of these.")
    label_meanings: dict[str, str] = Field(description="How each value of the label column was read.")
    unknown_values: dict[str, int] = Field(description="Values that mean none of the labels, the commonest, with rows.")
    problem: str | None = Field(description="Why there are no figures, when what the labels mean is not certain.")
    accuracy: float | None
    macro_f1: float | None = Field(
        description="Mean F1 of the labels that occur, true or predicted: scikit-learn's `f1_score(average='macro')`."
    )
    labels: list[str]
    confusion_matrix: list[list[int]] = Field(description="A row for each true label, a column for each predicted one.")
    per_label: dict[str, LabelScores]


def evaluation_out(counts: dict[str, Any]) -> Evaluation:
    """The usual figures; accuracy and macro F1 are None when no row has both a truth and a prediction."""
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
