"""``stvg jobs``: what is queued, running, done or failed, and why; retry what failed."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import click

from backend.bootstrap import ready_database
from backend.cli.groups import Group
from backend.db import jobs
from backend.db.tables import Delivery, Job
from backend.settings import load_settings
from stvg_core.notice import notice, notice_of_some

_COLUMNS = "{id:>6}  {state:<8} {tries:>5}  {task:>9}  {delivery:<10} {query:<40}  {note}"


@click.group(cls=Group, invoke_without_command=True)
@click.option("--state", type=click.Choice(jobs.STATES), help="Only jobs in this state.")
@click.option("--limit", default=100, show_default=True, help="At most so many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.pass_context
def command(context: click.Context, state: str | None, limit: int, as_json: bool) -> None:
    """List jobs, newest first, with the reason of those that failed."""
    if context.invoked_subcommand is not None:
        return
    with ready_database(load_settings()) as database, database.read() as session:
        rows = [describe(job, delivery) for job, delivery in jobs.listing(session, state=state, limit=limit)]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    if not rows:
        click.echo("No jobs." if state is None else f"No {state} jobs.")
        return
    titles = {"id": "JOB", "state": "STATE", "tries": "TRIES", "task": "TASK", "delivery": "DELIVERY"}
    click.echo(_COLUMNS.format(**titles, query="QUERY", note="NOTE"))
    for row in rows:
        note = row["reason"] or row["delivery_reason"] or row["warning"] or row["stage"] or ""
        click.echo(
            _COLUMNS.format(
                id=row["job"],
                state=row["state"],
                tries=row["attempts"],
                task=f"{row['project']}/{row['task']}",
                delivery=row["delivery"] or "-",
                query=_short(row["query"], 40),
                note=_short(note, 400),
            )
        )
    if said := notice_of_some(Counter(row["model_version"] for row in rows), "jobs are"):
        click.echo(said)


@command.command()
@click.argument("job_ids", metavar="ID...", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, help="Every failed job.")
def retry(job_ids: tuple[int, ...], everything: bool) -> None:
    """Queue failed jobs again, or push again what Label Studio refused."""
    if not job_ids and not everything:
        raise click.UsageError("Name the jobs, or say --all.")
    with ready_database(load_settings()) as database, database.write() as session:
        wanted = [job.id for job, _ in jobs.listing(session, state="failed", limit=100_000)] if everything else job_ids
        done = [number for number in wanted if jobs.retry(session, number)]
    for number in sorted(set(wanted) - set(done)):
        click.echo(f"Job {number} has not failed, or does not exist.", err=True)
    click.echo(f"{len(done)} queued again.")
    if len(done) < len(wanted):
        raise SystemExit(1)


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


def _short(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
