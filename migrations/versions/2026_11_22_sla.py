"""The SLA: a daily log of requests, feedback, the estimated tokens of a job, the pace of a worker."""

import sqlalchemy as sa
from alembic import op

revision = "0004_sla"
down_revision = "0003_similar_reviews"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Give up if a lock is not free soon: every request would queue behind a waiting migration.
    op.execute("SET LOCAL lock_timeout = '5s'")

    op.create_table(
        "request_log",
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("duration_ms", sa.REAL(), nullable=False),
        sa.Column("request_bytes", sa.BigInteger(), nullable=False),
        sa.Column("response_bytes", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("ix_request_log_at", "request_log", ["at"])
    op.create_table(
        "feedback",
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("sentiment", sa.Text(), nullable=False),
        sa.Column("agrees", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.id"], name=op.f("fk_feedback_review_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("review_id", name=op.f("pk_feedback")),
    )
    op.create_index("ix_feedback_created_at", "feedback", ["created_at"])
    op.add_column("jobs", sa.Column("tokens_estimate", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("jobs", sa.Column("traceparent", sa.Text(), nullable=True))
    op.add_column("workers", sa.Column("tokens_per_second", sa.REAL(), nullable=True))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")

    op.drop_column("workers", "tokens_per_second")
    op.drop_column("jobs", "traceparent")
    op.drop_column("jobs", "tokens_estimate")
    op.drop_table("feedback")
    op.drop_table("request_log")  # with its partitions
