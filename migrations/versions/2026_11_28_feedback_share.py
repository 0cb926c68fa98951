"""Feedback says whether its review may be shown to others; its example goes when the last such feedback goes."""

import sqlalchemy as sa
from alembic import op

revision = "0005_feedback_share"
down_revision = "0004_sla"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that cannot have its lock at once gives up instead of queueing every request behind it.
    op.execute("SET LOCAL lock_timeout = '5s'")

    # They were kept without being asked for, and some belong to jobs that have been deleted since.
    op.execute("DELETE FROM examples WHERE dataset = 'feedback'")
    op.add_column("feedback", sa.Column("example_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_feedback_example_id"), "feedback", "examples", ["example_id"], ["id"], ondelete="SET NULL"
    )
    op.create_index("ix_feedback_example_id", "feedback", ["example_id"])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")

    op.drop_index("ix_feedback_example_id", table_name="feedback")
    op.drop_column("feedback", "example_id")
