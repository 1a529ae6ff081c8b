"""Where each task stands is stored, work is leased in one way, and one outbox holds all that Label Studio must be told.

Indexes for the questions that were asked without one come along. The rows of the new columns are computed here, by the
rule of :func:`backend.db.task_state.state_of`; how far people disagree is left to a worker.
"""

import hashlib

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

_PAGE = 5000


def upgrade() -> None:
    _tasks_and_projects()
    _jobs()
    _deliveries()
    _events_calibrations_chores()
    _annotations()
    op.create_index("ix_prediction_video_id", "prediction", ["video_id", "region_id"])
    op.create_index("ix_review_undoes_id", "review", ["undoes_id"])
    _states()


def downgrade() -> None:
    op.drop_table("task_state")
    op.drop_index("ix_review_undoes_id", "review")
    op.drop_index("ix_prediction_video_id", "prediction")
    op.drop_index("ix_annotation_event_id", "annotation")
    op.drop_index("ix_annotation_author_id", "annotation")
    op.drop_index("ix_annotation_task_id", "annotation")
    op.drop_column("annotation", "current")
    op.create_index("ix_annotation_task_id", "annotation", ["task_id"])
    op.drop_table("chore")
    op.execute("UPDATE event SET state = 'new' WHERE state = 'reading'")
    for name in _LEASE_OF_EVENTS:
        op.drop_column("event", name)
    op.execute("UPDATE calibration SET state = 'queued', leased_by = NULL WHERE state = 'running'")
    for name in ("run_after", "death_stage", "deaths", "attempts"):
        op.drop_column("calibration", name)
    _deliveries_back()
    _jobs_back()
    op.drop_index("ix_task_video_id", "task")
    op.drop_column("task", "truth")
    op.drop_column("task", "name")
    op.drop_column("project", "compared_until")
    op.drop_column("project", "title")


def _tasks_and_projects() -> None:
    op.add_column("project", sa.Column("title", sa.Text(), nullable=True))
    op.add_column("project", sa.Column("compared_until", TIME, nullable=True))
    op.add_column("task", sa.Column("name", sa.Text(), nullable=True))
    op.add_column("task", sa.Column("truth", JSON, nullable=True))
    op.create_index("ix_task_video_id", "task", ["video_id"])


def _deaths(table: str) -> None:
    op.add_column(table, sa.Column("deaths", sa.Integer(), nullable=False, server_default="0"))
    op.add_column(table, sa.Column("death_stage", sa.String(length=64), nullable=False, server_default=""))


def _jobs() -> None:
    op.drop_index("ix_job_queue", "job")
    _deaths("job")
    op.add_column("job", sa.Column("video_key", sa.String(length=64), nullable=False, server_default=""))
    with op.batch_alter_table("job") as batch:
        batch.alter_column("run_after", existing_type=TIME, nullable=True)
        batch.alter_column("leased_by", existing_type=sa.String(length=128), type_=sa.String(length=160))
    job = sa.table("job", *map(sa.column, ("id", "video_key", "task_id", "video_ref", "state")))
    task = sa.table("task", sa.column("id"), sa.column("project_id"))
    connection = op.get_bind()
    waiting = (
        sa.select(job.c.id, task.c.project_id, job.c.video_ref)
        .join_from(job, task, task.c.id == job.c.task_id)
        .where(job.c.state.in_(("queued", "running", "failed")))
    )
    keys = [
        {"number": row.id, "key": hashlib.sha256(f"{row.project_id} {row.video_ref}".encode()).hexdigest()}
        for row in connection.execute(waiting).all()
    ]
    write = sa.update(job).where(job.c.id == sa.bindparam("number")).values(video_key=sa.bindparam("key"))
    for first in range(0, len(keys), _PAGE):
        connection.execute(write, keys[first : first + _PAGE])
    op.create_index("ix_job_queue", "job", ["state", sa.text("priority DESC"), "id", "model_version"])
    op.create_index("ix_job_lease", "job", ["state", "lease_until"])
    op.create_index("ix_job_task_id", "job", ["task_id", "id"])
    op.create_index("ix_job_video_key", "job", ["video_key", "state"])
    op.create_index("ix_job_finished_at", "job", ["state", "finished_at"])


def _jobs_back() -> None:
    for name in ("finished_at", "video_key", "task_id", "lease", "queue"):
        op.drop_index(f"ix_job_{name}", "job")
    op.execute("UPDATE job SET run_after = created_at WHERE run_after IS NULL")
    op.execute("UPDATE job SET state = 'failed', reason = 'Cancelled.' WHERE state = 'cancelled'")
    op.execute("UPDATE job SET leased_by = substr(leased_by, 1, 128)")
    with op.batch_alter_table("job") as batch:
        batch.alter_column("run_after", existing_type=TIME, nullable=False)
        batch.alter_column("leased_by", existing_type=sa.String(length=160), type_=sa.String(length=128))
    for name in ("video_key", "death_stage", "deaths"):
        op.drop_column("job", name)
    op.create_index("ix_job_queue", "job", ["state", "priority", "id"])


def _deliveries() -> None:
    """One outbox: the decisions that Label Studio has to hear of move out of ``review`` into ``delivery``."""
    op.drop_index("ix_delivery_queue", "delivery")
    _deaths("delivery")
    op.add_column("delivery", sa.Column("kind", sa.String(length=16), nullable=False, server_default="prediction"))
    op.add_column("delivery", sa.Column("lease_until", TIME, nullable=True))
    with op.batch_alter_table("delivery") as batch:
        batch.alter_column("next_attempt_at", new_column_name="run_after", existing_type=TIME, nullable=True)
        batch.alter_column("prediction_id", existing_type=sa.Integer(), nullable=True)
        batch.alter_column("leased_by", existing_type=sa.String(length=128), type_=sa.String(length=160))
    op.execute("UPDATE delivery SET lease_until = run_after, run_after = NULL WHERE state = 'sending'")
    op.execute(
        """
        INSERT INTO delivery (kind, prediction_id, task_id, state, attempts, run_after, reason, created_at,
                              delivered_at, deaths, death_stage)
        SELECT 'decision', NULL, task_id,
               CASE told_state WHEN 'told' THEN 'delivered' WHEN 'sending' THEN 'pending' ELSE told_state END,
               told_attempts, told_next_at, told_reason, created_at,
               CASE told_state WHEN 'told' THEN created_at END, 0, ''
        FROM review
        WHERE id IN (SELECT max(id) FROM review WHERE told_state IS NOT NULL GROUP BY task_id)
        """
    )
    op.drop_index("ix_review_told", "review")
    for name in ("told_state", "told_attempts", "told_next_at", "told_leased_by", "told_reason"):
        op.drop_column("review", name)
    op.create_index("ix_delivery_queue", "delivery", ["state", "run_after"])
    op.create_index("ix_delivery_lease", "delivery", ["state", "lease_until"])
    op.create_index("ix_delivery_task_id", "delivery", ["task_id"])
    only = sa.text("kind = 'decision'")
    op.create_index(
        "uq_delivery_decision", "delivery", ["task_id"], unique=True, sqlite_where=only, postgresql_where=only
    )


def _deliveries_back() -> None:
    op.add_column("review", sa.Column("told_state", sa.String(length=16), nullable=True))
    op.add_column("review", sa.Column("told_attempts", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("review", sa.Column("told_next_at", TIME, nullable=True))
    op.add_column("review", sa.Column("told_leased_by", sa.String(length=128), nullable=True))
    op.add_column("review", sa.Column("told_reason", sa.Text(), nullable=True))
    chosen = "FROM delivery d WHERE d.task_id = review.task_id AND d.kind = 'decision'"
    state = "CASE d.state WHEN 'delivered' THEN 'told' WHEN 'sending' THEN 'pending' ELSE d.state END"
    op.execute(
        f"""
        UPDATE review SET
          told_state = (SELECT {state} {chosen}),
          told_attempts = coalesce((SELECT d.attempts {chosen}), 0),
          told_next_at = (SELECT CASE WHEN d.state = 'delivered' THEN NULL ELSE coalesce(d.run_after, d.created_at) END
                          {chosen}),
          told_reason = (SELECT d.reason {chosen})
        WHERE id IN (SELECT max(id) FROM review GROUP BY task_id)
        """
    )
    op.create_index("ix_review_told", "review", ["told_state", "told_next_at"])
    op.drop_index("uq_delivery_decision", "delivery")
    op.execute("DELETE FROM delivery WHERE kind = 'decision'")
    for name in ("task_id", "lease", "queue"):
        op.drop_index(f"ix_delivery_{name}", "delivery")
    op.execute("UPDATE delivery SET run_after = coalesce(lease_until, run_after, created_at)")
    op.execute("UPDATE delivery SET leased_by = substr(leased_by, 1, 128)")
    with op.batch_alter_table("delivery") as batch:
        batch.alter_column("run_after", new_column_name="next_attempt_at", existing_type=TIME, nullable=False)
        batch.alter_column("prediction_id", existing_type=sa.Integer(), nullable=False)
        batch.alter_column("leased_by", existing_type=sa.String(length=160), type_=sa.String(length=128))
    for name in ("lease_until", "kind", "death_stage", "deaths"):
        op.drop_column("delivery", name)
    op.create_index("ix_delivery_queue", "delivery", ["state", "next_attempt_at"])


_LEASE_OF_EVENTS = ("lease_until", "leased_by", "run_after", "death_stage", "deaths")


def _events_calibrations_chores() -> None:
    _deaths("event")
    op.add_column("event", sa.Column("run_after", TIME, nullable=True))
    op.add_column("event", sa.Column("leased_by", sa.String(length=160), nullable=True))
    op.add_column("event", sa.Column("lease_until", TIME, nullable=True))
    _deaths("calibration")
    op.add_column("calibration", sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("calibration", sa.Column("run_after", TIME, nullable=True))
    with op.batch_alter_table("calibration") as batch:
        batch.alter_column("leased_by", existing_type=sa.String(length=128), type_=sa.String(length=160))
    op.create_table(
        "chore",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("finished_at", TIME, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("deaths", sa.Integer(), nullable=False),
        sa.Column("death_stage", sa.String(length=64), nullable=False),
        sa.Column("run_after", TIME, nullable=True),
        sa.Column("leased_by", sa.String(length=160), nullable=True),
        sa.Column("lease_until", TIME, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_chore"),
        sa.UniqueConstraint("name", name="uq_chore_name"),
    )


def _annotations() -> None:
    """``current``: of each annotation the version that was saved last, unless it was deleted."""
    op.add_column("annotation", sa.Column("current", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(
        """
        UPDATE annotation SET current = true WHERE id IN (
          SELECT id FROM (
            SELECT id,
              row_number() OVER (PARTITION BY ls_annotation_id
                                 ORDER BY coalesce(ls_updated_at, received_at) DESC, version DESC) AS place,
              max(CASE WHEN deleted THEN 1 ELSE 0 END) OVER (PARTITION BY ls_annotation_id) AS gone
            FROM annotation
          ) AS versions
          WHERE place = 1 AND gone = 0
        )
        """
    )
    op.drop_index("ix_annotation_task_id", "annotation")
    op.create_index("ix_annotation_task_id", "annotation", ["task_id", "current"])
    op.create_index("ix_annotation_author_id", "annotation", ["author_id", "current", "task_id"])
    op.create_index("ix_annotation_event_id", "annotation", ["event_id"])


def _states() -> None:
    op.create_table(
        "task_state",
        sa.Column("task_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("prediction_id", sa.Integer(), nullable=True),
        sa.Column("model_version", sa.String(length=255), nullable=True),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("uncertainty", sa.Double(), nullable=True),
        sa.Column("suggested_at", TIME, nullable=True),
        sa.Column("annotation_id", sa.Integer(), nullable=True),
        sa.Column("author_id", sa.BigInteger(), nullable=True),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("said", sa.String(length=64), nullable=False),
        sa.Column("compared", sa.String(length=64), nullable=True),
        sa.Column("review_id", sa.Integer(), nullable=True),
        sa.Column("decision", sa.String(length=16), nullable=True),
        sa.Column("disagreement", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_task_state_task_id"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_task_state_job_id"),
        sa.ForeignKeyConstraint(["prediction_id"], ["prediction.id"], name="fk_task_state_prediction_id"),
        sa.ForeignKeyConstraint(["annotation_id"], ["annotation.id"], name="fk_task_state_annotation_id"),
        sa.ForeignKeyConstraint(["review_id"], ["review.id"], name="fk_task_state_review_id"),
        sa.PrimaryKeyConstraint("task_id", name="pk_task_state"),
    )
    _fill()
    op.create_index("ix_task_state_state", "task_state", ["state", "project_id"])
    op.create_index("ix_task_state_project_id", "task_state", ["project_id"])
    op.create_index("ix_task_state_model_version", "task_state", ["model_version"])
    op.create_index("ix_task_state_people", "task_state", ["people"])
    due = sa.text("people > 1 AND (compared IS NULL OR compared <> said)")
    op.create_index("ix_task_state_due", "task_state", ["task_id"], sqlite_where=due, postgresql_where=due)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ANALYZE task_state")  # the first questions come before the server counts by itself


def _fill() -> None:
    """``said`` is left empty: it gets its value when something about the task changes."""
    op.execute(
        """
        INSERT INTO task_state (task_id, project_id, state, since, job_id, prediction_id, model_version, score,
                                uncertainty, suggested_at, annotation_id, author_id, people, said, review_id, decision)
        WITH
        ranked AS MATERIALIZED (
          SELECT a.id, a.task_id, a.author_id, a.was_cancelled, coalesce(a.ls_updated_at, a.received_at) AS moment,
            row_number() OVER (PARTITION BY a.task_id ORDER BY a.was_cancelled,
                               coalesce(a.ls_updated_at, a.received_at) DESC, a.id DESC) AS place
          FROM annotation a WHERE a.current AND a.task_id IS NOT NULL
        ),
        label AS MATERIALIZED (SELECT * FROM ranked WHERE place = 1),
        spoken AS MATERIALIZED (
          SELECT a.task_id, count(DISTINCT coalesce(a.author_id, -a.ls_annotation_id)) AS people
          FROM annotation a WHERE a.current AND NOT a.was_cancelled AND a.task_id IS NOT NULL GROUP BY a.task_id
        ),
        asked AS MATERIALIZED (SELECT task_id, max(id) AS job_id FROM job WHERE deliver GROUP BY task_id),
        answered AS MATERIALIZED (
          SELECT task_id, max(id) AS job_id FROM job
          WHERE deliver AND state = 'done' AND prediction_id IS NOT NULL GROUP BY task_id
        ),
        kept AS MATERIALIZED (
          SELECT id, task_id, annotation_id, prediction_id FROM review
          WHERE decision <> 'undone'
            AND id NOT IN (SELECT undoes_id FROM review WHERE undoes_id IS NOT NULL)
        ),
        of_version AS MATERIALIZED (
          SELECT annotation_id, max(id) AS review_id FROM kept WHERE annotation_id IS NOT NULL GROUP BY annotation_id
        ),
        of_suggestion AS MATERIALIZED (
          SELECT task_id, prediction_id, max(id) AS review_id FROM kept
          WHERE annotation_id IS NULL GROUP BY task_id, prediction_id
        )
        SELECT t.id, t.project_id,
          CASE WHEN d.id IS NOT NULL THEN d.decision
               WHEN label.was_cancelled THEN 'skipped'
               WHEN label.id IS NOT NULL THEN 'to review'
               WHEN j.id IS NOT NULL THEN 'suggested'
               WHEN newest.state = 'failed' THEN 'failed'
               ELSE 'waiting' END,
          coalesce(d.created_at, label.moment, j.finished_at, t.created_at),
          newest.id, j.prediction_id, j.model_version, p.score, p.uncertainty, j.finished_at,
          label.id, label.author_id, coalesce(spoken.people, 0), '', d.id, d.decision
        FROM task t
        LEFT JOIN label ON label.task_id = t.id
        LEFT JOIN spoken ON spoken.task_id = t.id
        LEFT JOIN asked ON asked.task_id = t.id
        LEFT JOIN job newest ON newest.id = asked.job_id
        LEFT JOIN answered ON answered.task_id = t.id
        LEFT JOIN job j ON j.id = answered.job_id
        LEFT JOIN prediction p ON p.id = j.prediction_id
        LEFT JOIN of_version ON of_version.annotation_id = label.id
        LEFT JOIN of_suggestion ON label.id IS NULL AND of_suggestion.task_id = t.id
          AND of_suggestion.prediction_id = j.prediction_id
        LEFT JOIN review d ON d.id = coalesce(of_version.review_id, of_suggestion.review_id)
        """
    )
