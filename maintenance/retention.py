"""Delete finished jobs and Idempotency-Keys that are past their retention."""

from datetime import timedelta

from db import prediction_cache, sweeps
from db.engine import Engine, transaction
from db.sweeps import Retention
from settings import MaintenanceSettings


def forget(engine: Engine, settings: MaintenanceSettings) -> None:
    """Delete everything past its retention; a job of a million rows takes half a minute."""
    retention = Retention(
        jobs=timedelta(days=settings.retention_days), idempotency_keys=timedelta(hours=settings.idempotency_hours)
    )
    with transaction(engine) as connection:
        sweeps.forget_old(connection, retention)
    more = True
    while more:
        with transaction(engine) as connection:
            age = timedelta(days=settings.prediction_cache_days)
            more = prediction_cache.prune(connection, settings.prediction_cache_rows, age)
