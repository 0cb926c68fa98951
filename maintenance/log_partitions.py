"""Create the request log's partitions of the coming days, and drop old ones."""

from datetime import date

import structlog

from db import request_log
from db.engine import Engine, transaction
from settings import MaintenanceSettings

log = structlog.get_logger()
DAYS_AHEAD = 3  # the API creates the partitions of today and tomorrow if they are missing


def keep_days(engine: Engine, settings: MaintenanceSettings) -> None:
    """Create the partitions of the coming days, and drop those past their retention.

    Raises:
        DatabaseError: the database cannot be reached, or a reader blocks a DROP; the next round tries again.
    """
    with transaction(engine) as connection:
        request_log.create_partitions(connection, DAYS_AHEAD)
    dropped: date | None = date.min
    while dropped:
        with transaction(engine) as connection:
            dropped = request_log.drop_partition(connection, settings.request_log_days)
        if dropped:
            log.info("request_log_dropped", day=dropped.isoformat())
