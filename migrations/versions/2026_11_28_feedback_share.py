"""Feedback states whether its review is shared; the example is deleted with the last feedback that shares it."""

import sqlalchemy as sa
from alembic import op

revision = "0005_feedback_share"
down_revision = "0004_sla"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Give up if a lock is not free soon: every request would queue behind a waiting migration.
    op.execute("SET LOCAL lock_timeout = '5s'")

    # These examples were stored without consent, and some belong to deleted jobs.
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
