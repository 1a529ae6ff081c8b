"""The address that Label Studio calls itself by: its local storage writes it into tasks."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("project", sa.Column("hostname", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("project", "hostname")
