"""A cache of predictions keyed by the hash of text and model, and a flag for results from it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006_prediction_cache"
down_revision = "0005_feedback_share"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Give up if a lock is not free soon: every request would queue behind a waiting migration.
    op.execute("SET LOCAL lock_timeout = '5s'")

    op.create_table(
        "prediction_cache",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("probabilities", postgresql.ARRAY(sa.REAL()), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("label", sa.SmallInteger(), nullable=False),
        sa.Column("truncated", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_prediction_cache")),
        prefixes=["UNLOGGED"],
    )
    op.create_index("ix_prediction_cache_created_at", "prediction_cache", ["created_at"])
    op.add_column("reviews", sa.Column("cached", sa.Boolean(), server_default="false", nullable=False))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")

    op.drop_column("reviews", "cached")
    op.drop_table("prediction_cache")
