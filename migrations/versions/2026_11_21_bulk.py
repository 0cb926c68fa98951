"""Bulk jobs: rows as sent are in job_rows, and identical texts of a job become one review."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002_bulk"
down_revision = "0001_spine"
branch_labels = None
depends_on = None

STATUS = "ck_jobs_status_known"


def upgrade() -> None:
    # Give up if a lock is not free soon: every request would queue behind a waiting migration.
    op.execute("SET LOCAL lock_timeout = '5s'")

    op.create_table(
        "job_rows",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("review_id", sa.Uuid(), nullable=True),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("caller_id", sa.Text(), nullable=True),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("others", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_detail", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(review_id IS NULL) = (error_code IS NOT NULL)", name=op.f("ck_job_rows_judged_or_refused")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_rows_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "index", name=op.f("pk_job_rows")),
    )
    op.execute("""
        INSERT INTO job_rows (job_id, review_id, index, text, caller_id)
        SELECT review.job_id, review.id, review.index, sent.text, sent.caller_id
        FROM review_texts AS sent JOIN reviews AS review ON review.id = sent.review_id
    """)
    op.drop_table("review_texts")
    op.add_column("reviews", sa.Column("copies", sa.Integer(), server_default="1", nullable=False))
    op.add_column("jobs", sa.Column("layout", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("jobs", sa.Column("labelled", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("jobs", sa.Column("evaluation", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("jobs", sa.Column("pace", sa.REAL(), server_default="0", nullable=False))
    op.add_column("jobs", sa.Column("pace_began", sa.DateTime(timezone=True), nullable=True))
    op.add_column("jobs", sa.Column("paced_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f(STATUS), "jobs", type_="check")
    op.create_check_constraint(
        op.f(STATUS),
        "jobs",
        "status IN ('queued', 'processing', 'paused', 'succeeded', 'failed', 'cancelled', 'expired')",
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")

    # The older schema has no paused jobs, no rows without a review, and one row for each review.
    op.execute(
        "UPDATE jobs SET status = CASE WHEN started_at IS NULL THEN 'queued' ELSE 'processing' END"
        " WHERE status = 'paused'"
    )
    op.execute("DELETE FROM jobs WHERE layout IS NOT NULL OR id IN (SELECT job_id FROM reviews WHERE copies > 1)")
    op.drop_constraint(op.f(STATUS), "jobs", type_="check")
    op.create_check_constraint(
        op.f(STATUS), "jobs", "status IN ('queued', 'processing', 'succeeded', 'failed', 'cancelled', 'expired')"
    )
    for column in ("paced_at", "pace_began", "pace", "evaluation", "labelled", "layout"):
        op.drop_column("jobs", column)
    op.drop_column("reviews", "copies")
    op.create_table(
        "review_texts",
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("caller_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["review_id"], ["reviews.id"], name=op.f("fk_review_texts_review_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("review_id", name=op.f("pk_review_texts")),
    )
    op.execute("INSERT INTO review_texts SELECT review_id, text, caller_id FROM job_rows WHERE review_id IS NOT NULL")
    op.drop_table("job_rows")
