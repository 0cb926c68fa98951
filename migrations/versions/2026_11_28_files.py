"""Files: the mapping of label values that the caller of a labelled job gives."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008_files"
down_revision = "0007_warnings"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Give up if a lock is not free soon: every request would queue behind a waiting migration.
    op.execute("SET LOCAL lock_timeout = '5s'")

    op.add_column("jobs", sa.Column("labelling", postgresql.JSONB(astext_type=sa.Text()), nullable=True))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")

    op.drop_column("jobs", "labelling")
