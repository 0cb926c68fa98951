"""Parse `DATABASE_URL` with libpq, whose URLs also name several hosts, sockets, TLS files and session options."""

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from db.errors import DatabaseUnusable

SHAPE = "postgresql://user:password@host:5432/database"
TLS_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
LARGEST_PORT = 65_535


def parameters(url: str) -> dict[str, str]:
    """Return the libpq parameters in a URL, such as host, port, dbname, sslmode and options.

    Raises:
        DatabaseUnusable: it is malformed. The message does not repeat the URL, which may contain a password.
    """
    try:
        given = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except ProgrammingError as error:
        raise _malformed(_safe(str(error))) from None
    if "@" in given.get("host", ""):
        raise _malformed("it contains more than one @")
    for port in filter(None, given.get("port", "").split(",")):
        if not port.isdecimal() or not 0 < int(port) <= LARGEST_PORT:
            raise _malformed("a port is no number from 1 to 65535")
    if given.get("sslmode", "prefer") not in TLS_MODES:
        raise DatabaseUnusable(f"DATABASE_URL: sslmode={given['sslmode']} is none of {', '.join(TLS_MODES)}.")
    return given


def _safe(message: str) -> str:
    """Return libpq's message where it names a parameter of the query; any other may repeat a password."""
    return " ".join(message.split()) if "URI query parameter" in message else "it cannot be parsed"


def _malformed(problem: str) -> DatabaseUnusable:
    return DatabaseUnusable(
        f"DATABASE_URL is malformed: {problem}. It must look like {SHAPE}; "
        "percent-encode every character of user and password that is no letter or digit."
    )
