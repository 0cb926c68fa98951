"""The driver's connection, which gives up on a server that has fallen silent.

statement_timeout is kept by the server, so a server that is stopped, or a machine that is gone behind a proxy that is
not, would hold a statement and its thread for ever.
"""

from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo

SILENT_SECONDS = 5.0  # then it is asked whether it still lives
CONNECT_SECONDS = 3

T = TypeVar("T")


class Connection(psycopg.Connection[Any]):
    """Ends with an OperationalError where a server is silent for 5 s and then takes no other connection within 3."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """As the driver's; a statement that may take minutes is waited for as long as its server lives."""
        while True:
            try:
                return super().wait(gen, interval, timeout or SILENT_SECONDS)
            except errors._WaitTimeout:  # noqa: SLF001  the driver's own word for it
                if timeout is not None:
                    raise
                if not self._server_answers():
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"the server has been silent for {SILENT_SECONDS:g} s") from None

    def _server_answers(self) -> bool:
        """Whether it takes another connection, or says why not."""
        known: dict[str, Any] = self.info.get_parameters() | {
            "password": self.info.password,
            "connect_timeout": CONNECT_SECONDS,
        }
        try:
            psycopg.connect(make_conninfo(**known)).close()
        except psycopg.OperationalError as error:
            return "FATAL" in str(error)  # such as too many connections
        return True
