"""Give the reviews of lost workers back to the queue, or fail those that have used up their attempts."""

from collections.abc import Callable

from db import sweeps
from db.engine import Engine, transaction
from maintenance.counts import count_ended
from monitoring.metrics import SWEPT


def give_back(engine: Engine, max_attempts: int, beat: Callable[[], None]) -> int:
    """Give back the reviews of every expired lease, one lease a transaction; return the number of leases.

    `beat` is called after each lease, so that the supervisor sees that a long round makes progress.
    """
    leases = 0
    while True:
        with transaction(engine) as connection:
            exhausted = sweeps.give_back_lost(connection, max_attempts)
        if exhausted is None:
            return leases
        leases += 1
        beat()
        SWEPT.labels("lost_leases").inc()
        count_ended(exhausted, "failed")
