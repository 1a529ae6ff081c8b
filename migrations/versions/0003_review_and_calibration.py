"""People and their decisions, calibration, boxes that an annotator drew, further objects of one annotation.

Predictions from before have no uncertainty: ``stvg sync`` computes it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UTC = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("job", sa.Column("prompt", JSON, nullable=True))
    op.add_column("prediction", sa.Column("prompt", JSON, nullable=True))
    op.add_column("prediction", sa.Column("uncertainty", sa.Double(), nullable=True))
    op.create_index("ix_prediction_uncertainty", "prediction", ["uncertainty"])
    with op.batch_alter_table("diff") as batch:
        batch.add_column(sa.Column("object", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("sentence", sa.Text(), nullable=True))
        batch.drop_constraint("uq_diff_annotation_id", type_="unique")
        batch.create_unique_constraint("uq_diff_annotation_id_object", ["annotation_id", "object"])
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("session_key", sa.String(length=64), nullable=False),
        sa.Column("ls_user_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", UTC, nullable=False),
        sa.Column("updated_at", UTC, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("name", name="uq_account_name"),
    )
    op.create_table(
        "review",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("annotation_id", sa.Integer(), nullable=True),
        sa.Column("prediction_id", sa.Integer(), nullable=True),
        sa.Column("decision", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("undoes_id", sa.Integer(), nullable=True),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("reviewer", sa.String(length=64), nullable=False),
        sa.Column("created_at", UTC, nullable=False),
        sa.Column("told_state", sa.String(length=16), nullable=True),
        sa.Column("told_attempts", sa.Integer(), nullable=False),
        sa.Column("told_next_at", UTC, nullable=True),
        sa.Column("told_leased_by", sa.String(length=128), nullable=True),
        sa.Column("told_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_review_task_id"),
        sa.ForeignKeyConstraint(["annotation_id"], ["annotation.id"], name="fk_review_annotation_id"),
        sa.ForeignKeyConstraint(["prediction_id"], ["prediction.id"], name="fk_review_prediction_id"),
        sa.ForeignKeyConstraint(["undoes_id"], ["review.id"], name="fk_review_undoes_id"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_review_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_review"),
    )
    op.create_index("ix_review_task_id", "review", ["task_id"])
    op.create_index("ix_review_annotation_id", "review", ["annotation_id"])
    op.create_index("ix_review_told", "review", ["told_state", "told_next_at"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=True),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("detail", JSON, nullable=False),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_table(
        "calibration",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=True),
        sa.Column("base", sa.String(length=255), nullable=False),
        sa.Column("looks", sa.String(length=255), nullable=False),
        sa.Column("model_version", sa.String(length=255), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("requested_by", sa.String(length=64), nullable=False),
        sa.Column("settings", JSON, nullable=False),
        sa.Column("report", JSON, nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("leased_by", sa.String(length=128), nullable=True),
        sa.Column("lease_until", UTC, nullable=True),
        sa.Column("created_at", UTC, nullable=False),
        sa.Column("finished_at", UTC, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_calibration"),
    )
    op.create_index("ix_calibration_looks", "calibration", ["looks"])


def downgrade() -> None:
    for table in ("calibration", "audit", "review", "account"):
        op.drop_table(table)
    op.execute("DELETE FROM diff WHERE object > 0")
    with op.batch_alter_table("diff") as batch:
        batch.drop_constraint("uq_diff_annotation_id_object", type_="unique")
        batch.create_unique_constraint("uq_diff_annotation_id", ["annotation_id"])
        batch.drop_column("sentence")
        batch.drop_column("object")
    op.drop_index("ix_prediction_uncertainty", "prediction")
    op.drop_column("prediction", "uncertainty")
    op.drop_column("prediction", "prompt")
    op.drop_column("job", "prompt")
