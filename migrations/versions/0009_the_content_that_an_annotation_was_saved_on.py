"""On which content of its task's video was an annotation saved?

Of annotations from before that is the content of the suggestion that they came from, else the task's present one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_SUGGESTED = "(SELECT p.video_id FROM prediction p WHERE p.id = annotation.prediction_id)"
_PRESENT = "(SELECT t.video_id FROM task t WHERE t.id = annotation.task_id)"


def upgrade() -> None:
    op.add_column("annotation", sa.Column("video_id", sa.Integer(), nullable=True))
    op.execute(f"UPDATE annotation SET video_id = coalesce({_SUGGESTED}, {_PRESENT})")


def downgrade() -> None:
    op.drop_column("annotation", "video_id")
