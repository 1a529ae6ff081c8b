"""The next delivery is the first of an index: of equal times, by number."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_delivery_queue", "delivery")
    op.create_index("ix_delivery_queue", "delivery", ["state", "run_after", "id"])


def downgrade() -> None:
    op.drop_index("ix_delivery_queue", "delivery")
    op.create_index("ix_delivery_queue", "delivery", ["state", "run_after"])
