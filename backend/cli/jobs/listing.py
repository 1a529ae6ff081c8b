"""``stvg jobs`` by itself: which jobs are there?"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import click

from backend.bootstrap import ready_database
from backend.cli.groups import Group
from backend.cli.jobs import options
from backend.cli.jobs.options import short
from backend.cli.project_option import project_number
from backend.db import jobs, work_lists
from backend.db.tables import Delivery, Job
from backend.settings import load_settings
from stvg_core.notice import notice, notice_of_some

_COLUMNS = "{id:>6}  {state:<9} {tries:>5}  {task:>9}  {delivery:<10} {query:<40}  {note}"


@click.group(cls=Group, invoke_without_command=True)
@click.option("--state", type=click.Choice(jobs.STATES), help="Only jobs in this state.")
@options.project
@options.version
@options.reason
@options.limit
@options.as_json
@click.pass_context
def command(
    context: click.Context, state: str | None, project: str | None, version: str | None, reason: str | None, limit: int,
    as_json: bool,
) -> None:  # fmt: skip
    """List jobs, newest first, with the reason of those that failed."""
    if context.invoked_subcommand is not None:
        return
    with ready_database(load_settings()) as database, database.read() as session:
        number = project_number(session, project)
        chosen = work_lists.Chosen((), () if state is None else (state,), number, version, reason)
        rows = [describe(job, delivery) for job, delivery in work_lists.list_jobs(session, chosen, limit=limit)]
        waiting = work_lists.versions(session, chosen) if state in (None, jobs.QUEUED) and not as_json else []
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    if not rows:
        click.echo("No jobs." if chosen == work_lists.Chosen() else f"No {state or 'such'} jobs.")
        return
    titles = {"id": "JOB", "state": "STATE", "tries": "TRIES", "task": "TASK", "delivery": "DELIVERY"}
    click.echo(_COLUMNS.format(**titles, query="QUERY", note="NOTE"))
    for row in rows:
        click.echo(_line(row))
    for one in waiting:
        if said := _nobody(one):
            click.echo(said)
    if said := notice_of_some(Counter(row["model_version"] for row in rows), "jobs are"):
        click.echo(said)


def _line(row: dict[str, Any]) -> str:
    return _COLUMNS.format(
        id=row["job"],
        state=row["state"],
        tries=row["attempts"],
        task=f"{row['project']}/{row['task']}",
        delivery=row["delivery"] or "-",
        query=short(row["query"], 40),
        note=short(row["reason"] or row["delivery_reason"] or row["warning"] or row["stage"] or "", 400),
    )


def _nobody(one: work_lists.Version) -> str | None:
    """That jobs wait and no worker is known to be there; None where one works on such a job now."""
    if one.held:
        return None
    wait = "1 job waits" if one.queued == 1 else f"{one.queued} jobs wait"
    whose = f"model {one.name}" if one.name else "any model"
    heard = "was never seen" if one.heard is None else f"last began or ended a job at {one.heard:%Y-%m-%d %H:%M} UTC"
    return f"{wait} for {whose}, which nobody works on now: a worker of it {heard}."


def describe(job: Job, delivery: Delivery | None) -> dict[str, Any]:
    """A job in plain values."""
    return {
        "job": job.id,
        "state": job.state,
        "project": job.task.project_id,
        "task": job.task.ls_task_id,
        "query": job.query,
        "video": job.video_ref.partition("?X-Amz-")[0],
        "attempts": job.attempts,
        "deaths": job.deaths,
        "stage": f"{job.progress:.0%} {job.stage}" if job.state == "running" else "",
        "reason": job.reason,
        "warning": job.task.warning,
        "model_version": job.model_version,
        "notice": notice(job.model_version),
        "delivery": None if delivery is None else delivery.state,
        "delivery_reason": None if delivery is None else delivery.reason,
        "created_at": job.created_at.isoformat(timespec="seconds"),
        "finished_at": None if job.finished_at is None else job.finished_at.isoformat(timespec="seconds"),
    }
