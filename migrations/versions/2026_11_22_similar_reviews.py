"""Similar reviews: labelled examples with their embeddings, and the number that a job asks for."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import NotSupportedError, ProgrammingError

from db.engine import DatabaseUnusable
from db.vectors import HalfVector

revision = "0003_similar_reviews"
down_revision = "0002_bulk"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Give up if a lock is not free soon: every request would queue behind a waiting migration.
    op.execute("SET LOCAL lock_timeout = '5s'")

    try:
        op.execute("CREATE EXTENSION IF NOT EXISTS vector")
    except (NotSupportedError, ProgrammingError) as error:  # not installed on the server, or no privilege to create it
        raise DatabaseUnusable(
            "The extension vector cannot be created: run CREATE EXTENSION vector as a superuser."
        ) from error
    op.create_table(
        "examples",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("text_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("group_key", sa.Text(), nullable=True),
        sa.Column("embedder", sa.Text(), nullable=True),
        sa.Column("embedding", HalfVector(128), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_examples")),
        sa.UniqueConstraint("dataset", "text_sha256", name=op.f("uq_examples_dataset_text_sha256")),
    )
    op.create_index(
        "ix_examples_embedding",
        "examples",
        ["embedding"],
        postgresql_using="hnsw",
        postgresql_ops={"embedding": "halfvec_ip_ops"},
    )
    op.add_column("jobs", sa.Column("similar_wanted", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("reviews", sa.Column("similar_reviews", postgresql.JSONB(astext_type=sa.Text()), nullable=True))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")

    op.drop_column("reviews", "similar_reviews")
    op.drop_column("jobs", "similar_wanted")
    op.drop_table("examples")
    # The extension stays: others may use it, and this user may not be its owner.
