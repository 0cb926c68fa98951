"""Shows a process's pool of connections in its metrics. Called when the process has made its engine."""

from sqlalchemy import Engine, QueuePool

from monitoring.metrics import POOL


def show(engine: Engine) -> None:
    """Count the connections that are in use and idle whenever metrics are asked for."""
    pool = engine.pool
    if isinstance(pool, QueuePool):
        POOL.labels("database", "in_use").set_function(pool.checkedout)
        POOL.labels("database", "idle").set_function(pool.checkedin)
