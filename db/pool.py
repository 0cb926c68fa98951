"""Export the connection pool of a process as metrics."""

from sqlalchemy import Engine, QueuePool

from monitoring.metrics import POOL


def show(engine: Engine) -> None:
    """Export the numbers of connections in use and idle; they are read at each scrape."""
    pool = engine.pool
    if isinstance(pool, QueuePool):
        POOL.labels("database", "in_use").set_function(pool.checkedout)
        POOL.labels("database", "idle").set_function(pool.checkedin)
