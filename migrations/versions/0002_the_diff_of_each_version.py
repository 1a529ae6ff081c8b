"""The diff of each annotation version against its prediction. Rows for older versions: ``stvg sync`` computes them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "diff",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("annotation_id", sa.Integer(), nullable=False),
        sa.Column("prediction_id", sa.Integer(), nullable=True),
        sa.Column("change", sa.String(length=32), nullable=False),
        sa.Column("region_id", sa.Text(), nullable=True),
        sa.Column("tiou", sa.Double(), nullable=True),
        sa.Column("viou", sa.Double(), nullable=True),
        sa.Column("start_shift", sa.Integer(), nullable=True),
        sa.Column("end_shift", sa.Integer(), nullable=True),
        sa.Column("first_frame", sa.Integer(), nullable=True),
        sa.Column("frame_ious", sa.LargeBinary(), nullable=True),
        sa.Column("edits", sa.Integer(), nullable=True),
        sa.Column("edits_from_nothing", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["annotation_id"], ["annotation.id"], name="fk_diff_annotation_id"),
        sa.ForeignKeyConstraint(["prediction_id"], ["prediction.id"], name="fk_diff_prediction_id"),
        sa.PrimaryKeyConstraint("id", name="pk_diff"),
        sa.UniqueConstraint("annotation_id", name="uq_diff_annotation_id"),
    )


def downgrade() -> None:
    op.drop_table("diff")
