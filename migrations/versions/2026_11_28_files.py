"""Files: what the sender of a labelled job says of its labels."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008_files"
down_revision = "0007_warnings"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that cannot have its lock at once gives up instead of queueing every request behind it.
    op.execute("SET LOCAL lock_timeout = '5s'")

    op.add_column("jobs", sa.Column("labelling", postgresql.JSONB(astext_type=sa.Text()), nullable=True))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")

    op.drop_column("jobs", "labelling")
