"""Alembic's entry: runs the versions on the connection that `db.migrate` hands over."""

import re
from collections.abc import MutableMapping

from alembic import context

from db.models import Base

PARTITION = re.compile(r"request_log_\d{8}")  # made and dropped day by day, by db.request_log


def _is_ours(name: str | None, kind: str, _parents: MutableMapping[str, str | None]) -> bool:
    """Whether Alembic shall compare it with the models."""
    return not (kind == "table" and name and PARTITION.fullmatch(name))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_server_default=True,
    include_name=_is_ours,  # type: ignore[arg-type]  # Alembic lists the kinds as literals
)
with context.begin_transaction():
    context.run_migrations()
