"""A psycopg connection that gives up on a server that no longer answers.

The server itself enforces statement_timeout. A stopped server, or a lost machine behind a proxy that still runs, would
therefore block a statement and its thread for ever.
"""

from typing import Any, Self, TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo

SILENT_SECONDS = 5.0  # without an answer; then the connection checks whether the server is alive
CONNECT_SECONDS = 3

T = TypeVar("T")


class ConnectFailed(psycopg.OperationalError):
    """No connection was made."""


class Connection(psycopg.Connection[Any]):
    """Raise OperationalError if the server is silent for 5 s and then accepts no new connection within 3 s."""

    @classmethod
    def connect(cls, conninfo: str = "", **parameters: Any) -> Self:
        """Connect as psycopg does.

        Raises:
            ConnectFailed: with the host and the reason, in place of every OperationalError.
        """
        try:
            return super().connect(conninfo, **parameters)
        except psycopg.OperationalError as error:
            raise ConnectFailed(str(error)) from error

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Wait as psycopg does. A statement may take minutes as long as its server is alive."""
        while True:
            try:
                return super().wait(gen, interval, timeout or SILENT_SECONDS)
            except errors._WaitTimeout:  # noqa: SLF001  psycopg has no public name for it
                if timeout is not None:
                    raise
                if not self._server_answers():
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"the server has been silent for {SILENT_SECONDS:g} s") from None

    def _server_answers(self) -> bool:
        """Return whether the server accepts another connection, or refuses it with a reason."""
        known: dict[str, Any] = self.info.get_parameters() | {
            "host": self.info.host,  # of several hosts the one of this connection
            "hostaddr": self.info.hostaddr,
            "port": self.info.port,
            "password": self.info.password,
            "connect_timeout": CONNECT_SECONDS,
        }
        known.pop("target_session_attrs", None)
        try:
            psycopg.connect(make_conninfo(**known)).close()
        except psycopg.OperationalError as error:
            return "FATAL" in str(error)  # such as too many connections
        return True
