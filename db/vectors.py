"""pgvector's type for embeddings, as SQLAlchemy and Alembic need it."""

from typing import Any

from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.types import UserDefinedType

#: Of the column; shorter embeddings are padded with zeros, which do not change similarities.
EMBEDDING_DIMENSIONS = 128


class HalfVector(UserDefinedType[str]):
    """A vector of two-byte numbers, written and read as `[0.1,0.2]`."""

    cache_ok = True

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions

    def get_col_spec(self, **_: Any) -> str:
        """Return the type's name in SQL."""
        return f"halfvec({self.dimensions})"


ischema_names["halfvec"] = HalfVector  # so that Alembic can read the column back
