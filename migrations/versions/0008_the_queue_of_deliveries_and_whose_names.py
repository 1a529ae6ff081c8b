"""The next delivery is the first of an index: of equal times, by number. And of which Label Studio each name is.

Names that were learnt before are of nobody: the next ``stvg connect`` says it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_delivery_queue", "delivery")
    op.create_index("ix_delivery_queue", "delivery", ["state", "run_after", "id"])
    op.add_column("project", sa.Column("label_studio_url", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("project", "label_studio_url")
    op.drop_index("ix_delivery_queue", "delivery")
    op.create_index("ix_delivery_queue", "delivery", ["state", "run_after"])
