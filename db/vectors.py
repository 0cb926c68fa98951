"""pgvector's type for embeddings, as far as SQLAlchemy and Alembic must know it. Called by db.models, migrations."""

from typing import Any

from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.types import UserDefinedType

#: Of the column; shorter embeddings are filled up with zeros, which change no similarity.
EMBEDDING_DIMENSIONS = 128


class HalfVector(UserDefinedType[str]):
    """pgvector's type for embeddings: two bytes a number, written and read as `[0.1,0.2]`."""

    cache_ok = True

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions

    def get_col_spec(self, **_: Any) -> str:
        """The type's name in SQL."""
        return f"halfvec({self.dimensions})"


ischema_names["halfvec"] = HalfVector  # so that Alembic can read what the migrations made
