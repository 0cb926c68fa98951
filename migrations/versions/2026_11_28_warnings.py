"""Warnings: reasons to trust a result less, such as a text in another language."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007_warnings"
down_revision = "0006_prediction_cache"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Give up if a lock is not free soon: every request would queue behind a waiting migration.
    op.execute("SET LOCAL lock_timeout = '5s'")

    op.add_column("reviews", sa.Column("warnings", postgresql.ARRAY(sa.Text()), nullable=True))
    # Cached predictions from before have no warnings.
    op.execute("TRUNCATE prediction_cache")
    op.add_column("prediction_cache", sa.Column("warnings", postgresql.ARRAY(sa.Text()), nullable=False))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")

    op.drop_column("prediction_cache", "warnings")
    op.drop_column("reviews", "warnings")
