"""How far do the model versions agree that answered one task? Of tasks that several answered it is computed later.

A worker's next answer, ``stvg sync`` and ``stvg db upgrade`` do that: the tubes of a hundred thousand tasks are too much
for a migration.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_SEVERAL = """
SELECT task_id FROM job WHERE deliver = true AND state = 'done' GROUP BY task_id HAVING count(DISTINCT model_version) > 1
"""


def upgrade() -> None:
    op.add_column("task_state", sa.Column("versions_compared", sa.String(length=64), nullable=True, server_default=""))
    op.add_column("task_state", sa.Column("versions_agree", sa.Double(), nullable=True))
    op.execute(f"UPDATE task_state SET versions_compared = NULL WHERE task_id IN ({_SEVERAL})")


def downgrade() -> None:
    op.drop_column("task_state", "versions_agree")
    op.drop_column("task_state", "versions_compared")
