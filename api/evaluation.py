"""A finished job held against the labels of its file: what callers see of the counts that db.evaluations made."""

from typing import Any

from pydantic import BaseModel, Field


class LabelScores(BaseModel):
    """How well one label was found."""

    precision: float
    recall: float
    f1: float


class Evaluation(BaseModel):
    """A finished job held against the labels that came with its file."""

    labelled: int = Field(description="Rows whose label the model knows; those that failed are in none of the figures.")
    unknown_labels: int = Field(description="Rows with another label.")
    accuracy: float | None
    macro_f1: float | None
    labels: list[str]
    confusion_matrix: list[list[int]] = Field(description="A row for each true label, a column for each predicted one.")
    per_label: dict[str, LabelScores]


def evaluation_out(counts: dict[str, Any]) -> Evaluation:
    """The usual figures; accuracy and macro F1 are None when no row has both a truth and a prediction.

    As scikit-learn has it, macro F1 is the mean over the labels that occur, and what has no denominator is 0.
    """
    labels, matrix = counts["labels"], counts["matrix"]
    predicted = sum(map(sum, matrix))
    truths, found = [sum(row) for row in matrix], [sum(column) for column in zip(*matrix, strict=True)]
    scores = [_scores(row[place], found[place], truths[place]) for place, row in enumerate(matrix)]
    occurring = [each.f1 for place, each in enumerate(scores) if truths[place] or found[place]]
    return Evaluation(
        labelled=counts["labelled"],
        unknown_labels=counts["unknown_labels"],
        accuracy=sum(row[place] for place, row in enumerate(matrix)) / predicted if predicted else None,
        macro_f1=sum(occurring) / len(occurring) if occurring else None,
        labels=labels,
        confusion_matrix=matrix,
        per_label=dict(zip(labels, scores, strict=True)),
    )


def _scores(hits: int, found: int, truths: int) -> LabelScores:
    return LabelScores(
        precision=hits / found if found else 0.0,
        recall=hits / truths if truths else 0.0,
        f1=2 * hits / (found + truths) if found + truths else 0.0,
    )
