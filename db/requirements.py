"""The requirements on server, database, schema and role; each check raises DatabaseUnusable with problem and remedy.

PostgreSQL 18 is needed for uuidv7() (ids that sort by time), RETURNING old (feedback) and casefold() (labels), and
casefold() needs the encoding UTF8.
"""

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

import psycopg
from psycopg.rows import class_row

from db.errors import DatabaseUnusable
from db.models import Base

OLDEST = 18
OLDEST_VECTOR = (0, 8)  # iterative index scans; halfvec came with 0.7
OUR_TABLES = sorted(Base.metadata.tables)

Session: TypeAlias = psycopg.Connection[Any]


def row(session: Session, query: str, *values: object) -> tuple[Any, ...]:
    """Return the only row of a query."""
    [found] = session.execute(query, values or None).fetchall()
    return tuple(found)


def check_version(session: Session) -> None:
    """Require PostgreSQL 18."""
    number, text = row(session, "SELECT current_setting('server_version_num')::int, current_setting('server_version')")
    if number // 10_000 < OLDEST:
        raise DatabaseUnusable(
            f"PostgreSQL {text} is too old: {OLDEST} or newer is needed, for uuidv7(), casefold() and RETURNING old. "
            "Upgrade the server, or set DATABASE_URL to a newer one."
        )


@dataclass(frozen=True, slots=True)
class _Server:
    is_standby: bool
    read_only: str
    encoding: str
    database: str
    role: str


_SERVER = """
SELECT pg_is_in_recovery() AS is_standby, current_setting('transaction_read_only') AS read_only,
       current_setting('server_encoding') AS encoding, current_database() AS database, current_user AS role
"""


def check_server(session: Session) -> None:
    """Require a primary that accepts changes, and UTF8."""
    with session.cursor(row_factory=class_row(_Server)) as cursor:
        [server] = cursor.execute(_SERVER).fetchall()
    if server.is_standby:
        raise DatabaseUnusable(
            f"The server at {session.info.host}:{session.info.port} is a hot standby and accepts no changes. Set "
            "DATABASE_URL to the primary, or list all servers: postgresql://user@one,two/database"
            "?target_session_attrs=read-write."
        )
    if server.read_only == "on":
        raise DatabaseUnusable(
            f"The database {server.database} is read-only for {server.role}: default_transaction_read_only is on. Run "
            f"ALTER DATABASE {server.database} SET default_transaction_read_only = off, or the same for the role."
        )
    if server.encoding != "UTF8":
        raise DatabaseUnusable(
            f"The database {server.database} has the encoding {server.encoding}, and UTF8 is needed. Create another "
            "one: CREATE DATABASE verdict TEMPLATE template0 ENCODING 'UTF8'."
        )


_VERSION_SCHEMA = """
SELECT (SELECT nspname FROM pg_class JOIN pg_namespace AS schema ON schema.oid = relnamespace
        WHERE pg_class.oid = to_regclass('alembic_version'))
"""


def check_schema(session: Session) -> None:
    """Require that the first schema of search_path exists, and is the one with Verdict's tables."""
    path, current, role = row(session, "SELECT current_setting('search_path'), current_schema(), current_user")
    names = [name.strip().strip('"') for name in path.split(",")]
    first = next((name for name in names if name != "$user"), role)
    if current is None or (names[0] != "$user" and current != first):
        raise DatabaseUnusable(
            f"search_path is {path}, but the schema {first} does not exist, or {role} may not use it. Run CREATE "
            f'SCHEMA "{first}" AUTHORIZATION "{role}", or name another one at the end of DATABASE_URL: '
            "?options=-csearch_path%3Dpublic."
        )
    [found] = row(session, _VERSION_SCHEMA)
    if found not in {None, current}:
        raise DatabaseUnusable(
            f"search_path is {path}: new tables would go to the schema {current}, but alembic_version is in {found}. "
            f"Name one schema only: end DATABASE_URL with ?options=-csearch_path%3D{found} if the tables there "
            f"are Verdict's, else with ?options=-csearch_path%3D{current}."
        )


_LACKING = """
SELECT privilege || ' on ' || name FROM unnest(%s::text[]) AS name
CROSS JOIN unnest('{SELECT,UPDATE}'::text[]) AS privilege
WHERE to_regclass(name) IS NOT NULL AND NOT has_table_privilege(to_regclass(name), privilege)
  AND (privilege = 'SELECT' OR name IN ('jobs', 'reviews')) ORDER BY name, privilege
"""


def check_tables(session: Session) -> None:
    """Require the privileges of a running process on the tables that exist."""
    lacking = [privilege for (privilege,) in session.execute(_LACKING, (OUR_TABLES,))]
    if lacking:
        role, schema = row(session, "SELECT current_user, current_schema()")
        raise DatabaseUnusable(
            f"The role {role} lacks privileges: {', '.join(lacking)}. Connect as the role that migrated, or run GRANT "
            f'SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "{schema}" TO "{role}".'
        )


def check_create(session: Session) -> None:
    """Require the privilege to create tables."""
    query = "SELECT has_schema_privilege(current_schema(), 'CREATE'), current_schema(), current_user"
    may_create, schema, role = row(session, query)
    if not may_create:
        raise DatabaseUnusable(
            f'The role {role} may not create tables in the schema {schema}: run GRANT CREATE ON SCHEMA "{schema}" TO '
            f'"{role}" as its owner.'
        )


@dataclass(frozen=True, slots=True)
class _Vector:
    installed: str | None
    schema: str | None
    is_visible: bool
    available: str | None
    may_create: bool
    role: str


_VECTOR = """
SELECT extension.extversion AS installed, schema.nspname AS schema, to_regtype('halfvec') IS NOT NULL AS is_visible,
       offered.default_version AS available, current_user AS role,
       role.rolsuper OR (coalesce(offer.trusted OR NOT offer.superuser, false)
                         AND has_database_privilege(current_database(), 'CREATE')) AS may_create
FROM pg_roles AS role
LEFT JOIN pg_extension AS extension ON extname = 'vector' LEFT JOIN pg_namespace AS schema ON schema.oid = extnamespace
LEFT JOIN pg_available_extensions AS offered ON offered.name = 'vector'
LEFT JOIN pg_available_extension_versions AS offer
       ON offer.name = 'vector' AND offer.version = offered.default_version
WHERE role.rolname = current_user
"""


def check_vector(session: Session) -> None:
    """Require pgvector, installed or possible to create."""
    with session.cursor(row_factory=class_row(_Vector)) as cursor:
        [vector] = cursor.execute(_VECTOR).fetchall()
    version = vector.installed or vector.available
    if version is None:
        raise DatabaseUnusable(
            "The server has no pgvector: install version 0.8 or newer on it (package postgresql-18-pgvector, image "
            "pgvector/pgvector:pg18), then run this again."
        )
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < OLDEST_VECTOR:
        raise DatabaseUnusable(
            f"pgvector {version} is too old: 0.8 or newer is needed. Install it on the server"
            f"{', and run ALTER EXTENSION vector UPDATE' if vector.installed else ''}."
        )
    if not vector.installed and not vector.may_create:
        raise DatabaseUnusable(
            f"The extension vector is missing, and {vector.role} may not create it: run CREATE EXTENSION vector in "
            "this database as a superuser."
        )
    if vector.installed and not vector.is_visible:
        raise DatabaseUnusable(
            f"The extension vector is in the schema {vector.schema}, which search_path lacks: append it to "
            "search_path, or run ALTER EXTENSION vector SET SCHEMA with a schema of search_path."
        )
