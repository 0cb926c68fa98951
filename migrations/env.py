"""Alembic's entry point: run the migrations on the connection of `db.migrate`."""

import re
from collections.abc import MutableMapping

from alembic import context

from db.models import Base

PARTITION = re.compile(r"request_log_\d{8}")  # created and dropped daily by db.request_log


def _is_ours(name: str | None, kind: str, _parents: MutableMapping[str, str | None]) -> bool:
    """Return whether Alembic compares the object with the models."""
    return not (kind == "table" and name and PARTITION.fullmatch(name))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_server_default=True,
    include_name=_is_ours,  # type: ignore[arg-type]  # Alembic lists the kinds as literals
)
with context.begin_transaction():
    context.run_migrations()
