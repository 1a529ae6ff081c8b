"""Which part of its video is a job about? Of jobs from before: all of it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("job", sa.Column("segment", JSON, nullable=True))


def downgrade() -> None:
    op.drop_column("job", "segment")
