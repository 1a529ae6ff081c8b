"""How far do the model versions agree that answered one task? Of tasks that several answered it is computed later.

``stvg db upgrade`` and ``stvg sync`` do that: the tubes of a hundred thousand tasks are too much for a migration. The
dashboard's largest question gets the two indexes that have all that it reads of labels and diffs.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_SEVERAL = """
SELECT task_id FROM job WHERE deliver = true AND state = 'done'
GROUP BY task_id HAVING count(DISTINCT model_version) > 1
"""
_OF_LABELS = [
    "current", "was_cancelled", "task_id", "author_id", "prediction_id", "lead_time_s", "ls_updated_at", "received_at",
    "id",
]  # fmt: skip


def upgrade() -> None:
    op.add_column("task_state", sa.Column("versions_compared", sa.String(length=64), nullable=True, server_default=""))
    op.add_column("task_state", sa.Column("versions_agree", sa.Double(), nullable=True))
    op.execute(f"UPDATE task_state SET versions_compared = NULL WHERE task_id IN ({_SEVERAL})")
    op.create_index("ix_annotation_counts", "annotation", _OF_LABELS)
    op.create_index("ix_diff_edits", "diff", ["annotation_id", "prediction_id", "edits", "edits_from_nothing"])


def downgrade() -> None:
    op.drop_index("ix_diff_edits", "diff")
    op.drop_index("ix_annotation_counts", "annotation")
    op.drop_column("task_state", "versions_agree")
    op.drop_column("task_state", "versions_compared")
