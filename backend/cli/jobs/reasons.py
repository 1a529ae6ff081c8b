"""``stvg jobs reasons``: why did jobs fail, and how many for each reason?"""

from __future__ import annotations

import json

import click

from backend.bootstrap import ready_database
from backend.cli.jobs import options
from backend.cli.project_option import project_number
from backend.db import work_lists
from backend.settings import load_settings


@click.command()
@options.project
@options.version
@options.as_json
def reasons(project: str | None, version: str | None, as_json: bool) -> None:
    """Count the failed jobs by reason, each with an example."""
    with ready_database(load_settings()) as database, database.read() as session:
        chosen = work_lists.Chosen(project_id=project_number(session, project), model_version=version)
        found = work_lists.failures(session, chosen)
    for one in found:
        if as_json:
            row = {"jobs": one.count, "kind": one.kind, "example": one.newest, "reason": one.text}
            click.echo(json.dumps(row, ensure_ascii=False))
        else:
            click.echo(f"{one.count:>7}  {options.short(one.text, 400)}  (job {one.newest})")
    if not found and not as_json:
        click.echo("No failed jobs.")
