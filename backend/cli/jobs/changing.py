"""``stvg jobs retry`` and ``stvg jobs cancel``."""

from __future__ import annotations

import click

from backend.bootstrap import ready_database
from backend.cli.jobs import options
from backend.db import jobs, work_lists
from backend.settings import load_settings

_identifiers = click.argument("job_ids", metavar="[ID]...", nargs=-1, type=int)


@click.command()
@_identifiers
@click.option("--all", "everything", is_flag=True, help="Every failed job.")
@options.reason
@options.project
@options.version
def retry(
    job_ids: tuple[int, ...], everything: bool, reason: str | None, project: str | None, version: str | None
) -> None:
    """Queue failed jobs again, or push again what Label Studio refused."""
    filtered = reason is not None or project is not None or version is not None
    if job_ids and (everything or filtered):
        raise click.UsageError("Name the jobs, or choose them by options, not both.")
    if not job_ids and not everything and not filtered:
        raise click.UsageError("Name the jobs, or say --all.")
    missed: list[int] = []
    with ready_database(load_settings()) as database:
        if job_ids:
            for one in sorted(set(job_ids)):
                with database.write() as session:
                    if not jobs.retry(session, one):
                        missed.append(one)
            done = len(set(job_ids)) - len(missed)
        else:
            number = options.number(database, project)
            chosen = work_lists.Chosen(project_id=number, model_version=version, reason=reason)
            done = work_lists.retry_jobs(database, chosen)
    for one in missed:
        click.echo(f"Job {one} has not failed, or does not exist.", err=True)
    click.echo(f"{done} queued again.")
    if missed:
        raise SystemExit(1)


@click.command()
@_identifiers
@click.option("--all-queued", is_flag=True, help="Only jobs that nobody has begun.")
@options.project
@options.version
def cancel(job_ids: tuple[int, ...], all_queued: bool, project: str | None, version: str | None) -> None:
    """End jobs that wait or run; a running one stops at its next step. "retry" with its number queues it again."""
    if not job_ids and not all_queued and project is None and version is None:
        raise click.UsageError("Name the jobs, or say --all-queued, --project or --version.")
    states = (jobs.QUEUED,) if all_queued else (jobs.QUEUED, jobs.RUNNING)
    with ready_database(load_settings()) as database:
        number = options.number(database, project)
        chosen = work_lists.Chosen(tuple(sorted(set(job_ids))), states, number, version)
        done = work_lists.cancel_jobs(database, chosen)
    click.echo(f"{done} cancelled.")
    if missed := len(chosen.ids) - done if job_ids else 0:
        click.echo(f"{missed} of those that were named neither wait nor run, or do not exist.", err=True)
        raise SystemExit(1)
