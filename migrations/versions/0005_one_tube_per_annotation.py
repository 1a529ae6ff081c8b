"""By which rule was an annotation read, and what was found in the video for it?

Annotations from before have the rule 0: ``stvg db upgrade``, a worker and ``stvg sync`` read them again.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("annotation", sa.Column("reader", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("annotation", sa.Column("reread_of", sa.Integer(), nullable=True))
    op.create_index("ix_annotation_reader", "annotation", ["reader"])
    op.create_table(
        "followed",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("identity", sa.String(length=64), nullable=False),
        sa.Column("video_id", sa.Integer(), nullable=False),
        sa.Column("wish", JSON, nullable=False),
        sa.Column("keyframes", JSON, nullable=False),
        sa.Column("seen_first", sa.Integer(), nullable=False),
        sa.Column("seen_last", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["video_id"], ["video.id"], name="fk_followed_video_id"),
        sa.PrimaryKeyConstraint("id", name="pk_followed"),
        sa.UniqueConstraint("identity", name="uq_followed_identity"),
    )


def downgrade() -> None:
    op.drop_table("followed")
    # What was read again stays as versions; the older rule knows them as such.
    op.drop_index("ix_annotation_reader", "annotation")
    op.drop_column("annotation", "reread_of")
    op.drop_column("annotation", "reader")
