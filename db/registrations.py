"""Statements about model versions and the workers that serve them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from db.predicates import LIVE_WORKER
from db.rows import all_rows


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


@dataclass(slots=True)
class RegisteredModel:
    """A model version that was ever loaded, and the number of its live workers."""

    name: str
    version: str
    precision: str
    backend: str
    labels: list[str]
    max_tokens: int
    metrics: list[dict[str, Any]]
    registered_at: datetime
    workers: int


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


_MODELS = text(f"""
SELECT model.name, version, precision, backend, labels, max_tokens, metrics, registered_at,
       count(worker.name) AS workers
FROM models AS model
LEFT JOIN workers AS worker ON worker.model_id = model.id AND {LIVE_WORKER}
GROUP BY model.id ORDER BY model.name, model.registered_at DESC
""")  # noqa: S608  our own text


def models(connection: Connection) -> list[RegisteredModel]:
    """Return every version that was ever loaded, newest first, with its number of live workers."""
    return all_rows(RegisteredModel, connection.execute(_MODELS))


_LOADED = text("SELECT DISTINCT name FROM models")


def loaded_models(connection: Connection) -> frozenset[str]:
    """Return the names of all models that a worker has ever loaded."""
    return frozenset(connection.scalars(_LOADED))


# A worker that ends normally deletes its row; the row of a lost worker is deleted after an hour (db.sweeps).
_WORKERS = text(f"""
SELECT model.name, count(*) FILTER (WHERE {LIVE_WORKER}) AS live
FROM workers AS worker JOIN models AS model ON model.id = worker.model_id
GROUP BY model.name ORDER BY model.name
""")  # noqa: S608  our own text


def live_workers(connection: Connection) -> dict[str, int]:
    """Return the number of live workers of each model; 0 for a model whose workers were lost within the last hour."""
    return {row.name: row.live for row in connection.execute(_WORKERS)}
