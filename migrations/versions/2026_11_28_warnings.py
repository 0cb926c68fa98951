"""What lowers the confidence of a result, such as a text in another language."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007_warnings"
down_revision = "0006_prediction_cache"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that cannot have its lock at once gives up instead of queueing every request behind it.
    op.execute("SET LOCAL lock_timeout = '5s'")

    op.add_column("reviews", sa.Column("warnings", postgresql.ARRAY(sa.Text()), nullable=True))
    # Predictions that were kept before say nothing of warnings.
    op.execute("TRUNCATE prediction_cache")
    op.add_column("prediction_cache", sa.Column("warnings", postgresql.ARRAY(sa.Text()), nullable=False))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")

    op.drop_column("prediction_cache", "warnings")
    op.drop_column("reviews", "warnings")
