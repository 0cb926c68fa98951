"""How a finished job's predictions agree with the truth its file brought: counted once, kept with the job.

Called by api.views for whoever reads such a job first; what follows from the counts is api.evaluation's.
"""

from collections import Counter
from typing import Any

from sqlalchemy import Connection, Row, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

# How files write the two labels that nearly every model has.
ALIASES = {"positive": ("pos", "1"), "negative": ("neg", "0")}

# 1,000,000 rows take 2 to 4 s; whoever comes meanwhile waits for the lock.
_PATIENCE = text(
    "SELECT set_config(name, '120s', true) FROM unnest('{statement_timeout,lock_timeout}'::text[]) AS name"
)
_LOCK = text("SELECT finished_at, evaluation FROM jobs WHERE id = :id FOR UPDATE")
_LABELS = text("SELECT labels FROM models WHERE name = :model ORDER BY id")
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


def evaluation(connection: Connection, job: Row[Any]) -> dict[str, Any] | None:
    """Counts of a finished, labelled job: `labelled`, `unknown_labels`, `labels`, and `matrix` with a row a truth.

    `labelled` rows have a truth that the model knows; those without a prediction stand in no cell of the matrix.
    None when the job was deleted or retried meanwhile.
    """
    if job.evaluation is not None:
        return dict(job.evaluation)
    connection.execute(_PATIENCE)
    now = connection.execute(_LOCK, {"id": job.id}).one_or_none()
    if now is None or now.finished_at is None:
        return None
    if now.evaluation is None:
        counted = _count(connection, job)
        connection.execute(_KEEP, {"id": job.id, "evaluation": counted})
        return counted
    return dict(now.evaluation)


def _count(connection: Connection, job: Row[Any]) -> dict[str, Any]:
    # Versions of a model nearly always have the same labels; should they not, each label counts under its word.
    labels = list(dict.fromkeys(label for row in connection.execute(_LABELS, {"model": job.model}) for label in row[0]))
    words = {label.casefold(): label for label in labels}
    words |= {alias: label for label in labels for alias in ALIASES.get(label.casefold(), ())} | words
    parameters = {"id": job.id, "words": list(words), "truths": list(words.values())}
    counts: Counter[tuple[str | None, str | None]] = Counter()
    for truth, predicted, rows in connection.execute(_COUNT, parameters):
        counts[truth, predicted] += rows
    return {
        "labelled": sum(rows for (truth, _), rows in counts.items() if truth),
        "unknown_labels": sum(rows for (truth, _), rows in counts.items() if not truth),
        "labels": labels,
        "matrix": [[counts[truth, predicted] for predicted in labels] for truth in labels],
    }
