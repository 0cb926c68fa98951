"""Compare the predictions of a finished job with the labels of its file.

The counts are computed on the first request and stored with the job. `files.labels` maps the values of the label column
to labels; `files.scores` computes metrics from the counts.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from db.stored import StoredJob
from files.errors import WrongLabels
from files.labels import Meanings, folded, meanings

MOST_VALUES = 1_000  # of a label column, the most common ones; all others are unknown labels
MOST_UNKNOWN = 20  # unknown values that are listed

# 1,000,000 rows take 2 to 4 s, for which concurrent requests wait at the lock.
_LONG_TIMEOUTS = text(
    "SELECT set_config(name, '120s', true) FROM unnest('{statement_timeout,lock_timeout}'::text[]) AS name"
)
_LOCK = text("SELECT finished_at, evaluation FROM jobs WHERE id = :id FOR UPDATE")
_LABELS = text("SELECT labels FROM models WHERE name = :model ORDER BY id")
_VALUES = text("""
SELECT casefold(btrim(label, E' \\t\\n\\r\\u00a0')) AS value, count(*) AS rows FROM job_rows
WHERE job_id = :id AND btrim(label, E' \\t\\n\\r\\u00a0') <> ''
GROUP BY value ORDER BY rows DESC, value LIMIT :most
""")
_COUNT = text("""
SELECT known.truth, model.labels[review.label + 1] AS predicted, count(*)
FROM job_rows AS sent
LEFT JOIN unnest(CAST(:words AS text[]), CAST(:truths AS text[])) AS known (word, truth)
       ON known.word = casefold(btrim(sent.label, E' \\t\\n\\r\\u00a0'))
LEFT JOIN reviews AS review ON review.id = sent.review_id
LEFT JOIN models AS model ON model.id = review.model_id
WHERE sent.job_id = :id AND btrim(sent.label, E' \\t\\n\\r\\u00a0') <> ''
GROUP BY known.truth, predicted
""")
_KEEP = text("UPDATE jobs SET evaluation = :evaluation WHERE id = :id").bindparams(bindparam("evaluation", type_=JSONB))


def evaluation(connection: Connection, job: StoredJob) -> dict[str, Any] | None:
    """Return the counts of a finished, labelled job: `labelled`, `unknown_labels`, `labels` and the confusion `matrix`.

    The matrix has one row for each true label. `labelled` rows have a true label that the model knows; those without a
    prediction are in no cell of the matrix. Returns None if the job was deleted or retried meanwhile.
    """
    if job.evaluation is not None:
        return dict(job.evaluation)
    connection.execute(_LONG_TIMEOUTS)
    now = connection.execute(_LOCK, {"id": job.id}).one_or_none()
    if now is None or now.finished_at is None:
        return None
    if now.evaluation is None:
        counted = _count(connection, job)
        connection.execute(_KEEP, {"id": job.id, "evaluation": counted})
        return counted
    return dict(now.evaluation)


def _count(connection: Connection, job: StoredJob) -> dict[str, Any]:
    # Versions of a model nearly always have the same labels. If they differ, labels are matched by name.
    labels = list(dict.fromkeys(label for row in connection.execute(_LABELS, {"model": job.model}) for label in row[0]))
    values = {row.value: row.rows for row in connection.execute(_VALUES, {"id": job.id, "most": MOST_VALUES})}
    found = _meanings(values, labels, job.labelling or {})
    words = {} if found.problem else {value: found.of[word] for value in values if (word := folded(value)) in found.of}
    parameters = {"id": job.id, "words": list(words), "truths": list(words.values())}
    counts: Counter[tuple[str | None, str | None]] = Counter()
    for truth, predicted, rows in connection.execute(_COUNT, parameters):
        counts[truth, predicted] += rows
    unknown = [(value, rows) for value, rows in values.items() if value not in words]
    return {
        "labelled": sum(rows for (truth, _), rows in counts.items() if truth),
        "unknown_labels": sum(rows for (truth, _), rows in counts.items() if not truth),
        "labels": labels,
        "matrix": [[counts[truth, predicted] for predicted in labels] for truth in labels],
        "meanings": words,
        "unknown_values": dict(unknown[:MOST_UNKNOWN]),
        "problem": found.problem,
    }


def _meanings(values: Iterable[str], labels: Sequence[str], labelling: Mapping[str, Any]) -> Meanings:
    """Return the label of each value; the mapping that the caller sent may not fit the model."""
    try:
        return meanings(map(folded, values), labels, column=labelling.get("column", ""), told=labelling.get("told"))
    except WrongLabels as error:
        return Meanings({}, str(error))
