"""Create the request log's partitions of the coming days, and drop old ones."""

from datetime import date

import structlog

from db import request_log
from db.engine import Engine, transaction
from settings import MaintenanceSettings

log = structlog.get_logger()
DAYS_AHEAD = 3  # of the request log; the API makes today's and tomorrow's if they are missing


def keep_days(engine: Engine, settings: MaintenanceSettings) -> None:
    """Make the coming days of the request log, and drop those past their retention.

    Raises:
        DatabaseError: the store is out of reach, or somebody reads the log just now; the next round makes up for it.
    """
    with transaction(engine) as connection:
        request_log.create_partitions(connection, DAYS_AHEAD)
    dropped: date | None = date.min
    while dropped:
        with transaction(engine) as connection:
            dropped = request_log.drop_partition(connection, settings.request_log_days)
        if dropped:
            log.info("request_log_dropped", day=dropped.isoformat())
