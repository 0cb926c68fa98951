"""Statements about model versions and the workers that serve them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

# A worker is live if it was woken through the queue and asked for work within this time. Maintenance wakes every worker
# at least every 5 s.
FRESH = timedelta(seconds=30)
FRESH_SQL = f"interval '{FRESH.total_seconds():g} s'"


@dataclass(frozen=True, slots=True)
class NewModel:
    """A model version that a worker has loaded and checked."""

    name: str
    version: str
    precision: str
    backend: str
    labels: Sequence[str]
    max_tokens: int
    metrics: list[dict[str, Any]]


_REGISTER_MODEL = text("""
INSERT INTO models (name, version, precision, backend, labels, max_tokens, metrics)
VALUES (:name, :version, :precision, :backend, :labels, :max_tokens, :metrics)
ON CONFLICT (name, version, precision) DO UPDATE SET metrics = excluded.metrics, backend = excluded.backend
RETURNING id
""").bindparams(bindparam("metrics", type_=JSONB))


def register_model(connection: Connection, model: NewModel) -> int:
    """Store a model version, or update its metrics; return its id."""
    parameters = {name: getattr(model, name) for name in NewModel.__slots__}
    return int(connection.execute(_REGISTER_MODEL, parameters | {"labels": list(model.labels)}).scalar_one())


_SEEN = text("""
INSERT INTO workers (name, model_id, tokens_per_second) VALUES (:name, :model_id, :tokens_per_second)
ON CONFLICT (name) DO UPDATE SET
    model_id = excluded.model_id, tokens_per_second = excluded.tokens_per_second, seen_at = now()
""")


def worker_seen(connection: Connection, name: str, model_id: int, tokens_per_second: float | None = None) -> None:
    """Record that a worker was woken and asked for work, with its pace if that is known (worker.pace)."""
    parameters = {"name": name, "model_id": model_id, "tokens_per_second": tokens_per_second}
    connection.execute(_SEEN, parameters)


_WORKER_GONE = text("DELETE FROM workers WHERE name = :name")


def worker_gone(connection: Connection, name: str) -> None:
    """Delete the row of a worker that ends."""
    connection.execute(_WORKER_GONE, {"name": name})


_MODELS = text("""
SELECT model.*, count(worker.name) AS workers FROM models AS model
LEFT JOIN workers AS worker ON worker.model_id = model.id AND worker.seen_at > now() - :fresh
GROUP BY model.id ORDER BY model.name, model.registered_at DESC
""")


def models(connection: Connection, fresh: timedelta) -> Sequence[Row[Any]]:
    """Return every version that was ever loaded, newest first, with its number of workers seen within `fresh`."""
    return connection.execute(_MODELS, {"fresh": fresh}).all()


_LOADED = text("SELECT DISTINCT name FROM models")


def loaded_models(connection: Connection) -> frozenset[str]:
    """Return the names of all models that a worker has ever loaded."""
    return frozenset(connection.scalars(_LOADED))


# A worker that ends normally deletes its row; the row of a lost worker is deleted after an hour (db.sweeps).
_WORKERS = text("""
SELECT model.name, count(*) FILTER (WHERE worker.seen_at > now() - :fresh) AS live
FROM workers AS worker JOIN models AS model ON model.id = worker.model_id
GROUP BY model.name ORDER BY model.name
""")


def live_workers(connection: Connection, fresh: timedelta) -> dict[str, int]:
    """Return the number of workers of each model seen within `fresh`; 0 for a model whose workers were just lost."""
    return {row.name: row.live for row in connection.execute(_WORKERS, {"fresh": fresh})}
