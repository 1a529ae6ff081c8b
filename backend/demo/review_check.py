"""The demo's reviewer: decides on the pages, then compares what the database, Label Studio and the export say."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import select

from backend.db.engine import Database
from backend.db.tables import Task
from backend.demo.check import PATIENCE_S, Played, label_of
from backend.demo.loop import DemoProject
from backend.demo.reviewer import NAME, Reviewer
from backend.demo.stack import Stack
from backend.demo.summary import Summary
from backend.jobs.delivering import COMMENT_KEY, STATE_KEY
from backend.labelstudio.client import LabelStudioClient
from backend.review.decisions import ACCEPTED, SENT_BACK, standing
from stvg_core.datasets.hcstvg import read

REASON, COMMENT = "boxes loose", "The box leaves out the lower edge."


def check_review(
    client: LabelStudioClient, database: Database, stack: Stack, project: DemoProject, played: Played, home: Path,
    summary: Summary,
) -> None:  # fmt: skip
    """The corrected label is accepted, another one sent back; an export of accepted labels leaves the latter out."""
    rows = own_numbers(database, project)
    accepted, returned = played.corrected, next(task for task in played.spans if task != played.corrected)
    with Reviewer(stack.url, NAME, stack.reviewer_password) as reviewer:
        summary.check("tasks in the review queue", reviewer.queued(), set(rows.values()))
        reviewer.decide(rows[accepted], ACCEPTED)
        reviewer.decide(rows[returned], SENT_BACK, reason=REASON, comment=COMMENT)
    with database.read() as session:
        found = {task: standing(session, row) for task, row in rows.items()}
    decided = {task: row.decision for task, row in found.items() if row is not None}
    summary.check("the reviewer's decisions in the database", decided, {accepted: ACCEPTED, returned: SENT_BACK})
    wanted_there = {STATE_KEY: SENT_BACK, COMMENT_KEY: f"{REASON}: {COMMENT}; by {NAME}"}
    shown = await_told(client, returned)
    summary.check("what Label Studio shows of the label that was sent back", shown, wanted_there)
    out = home / "accepted.json"
    stack.run("export", "--format", "hcstvg2", "--accepted-only", "--out", str(out))
    # Where no reviewer decided, the annotator's own "correct" counts.
    wanted = sorted(label_of(project.tasks[task]) for task in played.spans if task != returned)
    summary.check("labels in an export of accepted ones", sorted(map(label_of, read(out))), wanted)


def own_numbers(database: Database, project: DemoProject) -> dict[int, int]:
    """Our own number of each task, by Label Studio's."""
    with database.read() as session:
        tasks = session.scalars(select(Task).where(Task.project_id == project.id))
        return {task.ls_task_id: task.id for task in tasks}


def await_told(client: LabelStudioClient, task: int) -> dict[str, object]:
    """What the task's data say of its review; waits for the worker to write it."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        data = client.task(task).get("data") or {}
        found = {key: data[key] for key in (STATE_KEY, COMMENT_KEY) if key in data}
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.3)
