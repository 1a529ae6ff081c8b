"""When each frame of a variable-rate video is shown.

Null in rows from before: ``stvg sync`` reads those videos again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("video", sa.Column("frame_times", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("video", "frame_times")
