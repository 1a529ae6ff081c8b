"""``stvg jobs deliveries``: what was Label Studio told, and what did it refuse?"""

from __future__ import annotations

import json

import click

from backend.bootstrap import ready_database
from backend.cli.groups import Group
from backend.cli.jobs import options
from backend.cli.project_option import project_number
from backend.db import deliveries as stored
from backend.db import work_lists
from backend.settings import load_settings

_COLUMNS = "{id:>8}  {kind:<10} {state:<9} {tries:>5}  {task:>12}  {reason}"


@click.group(cls=Group, invoke_without_command=True)
@click.option("--failed", is_flag=True, help="Only those that Label Studio refused.")
@click.option("--state", type=click.Choice(stored.STATES), help="Only those in this state.")
@options.project
@options.reason
@options.limit
@options.as_json
@click.pass_context
def deliveries(
    context: click.Context, failed: bool, state: str | None, project: str | None, reason: str | None, limit: int,
    as_json: bool,
) -> None:  # fmt: skip
    """List predictions and decisions on their way to Label Studio, newest first."""
    if context.invoked_subcommand is not None:
        return
    state = stored.FAILED if failed else state
    with ready_database(load_settings()) as database, database.read() as session:
        number = project_number(session, project)
        chosen = work_lists.Chosen((), () if state is None else (state,), number, None, reason)
        rows = [
            {
                "delivery": row.id,
                "kind": row.kind,
                "state": row.state,
                "project": row.task.project_id,
                "task": row.task.ls_task_id,
                "attempts": row.attempts,
                "reason": row.reason,
            }
            for row in work_lists.list_deliveries(session, chosen, limit=limit)
        ]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    if not rows:
        click.echo("No such deliveries.")
        return
    titles = {"id": "DELIVERY", "kind": "KIND", "state": "STATE", "tries": "TRIES", "task": "TASK", "reason": "REASON"}
    click.echo(_COLUMNS.format(**titles))
    for row in rows:
        where, said = f"{row['project']}/{row['task']}", options.short(str(row["reason"] or ""), 400)
        line = _COLUMNS.format(
            id=row["delivery"], kind=row["kind"], state=row["state"], tries=row["attempts"], task=where, reason=said
        )
        click.echo(line.rstrip())


@deliveries.command()
@click.argument("ids", metavar="[ID]...", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, help="Every failed one.")
@options.reason
@options.project
def retry(ids: tuple[int, ...], everything: bool, reason: str | None, project: str | None) -> None:
    """Send again what Label Studio refused."""
    options.require_choice(ids, everything, reason, project)
    with ready_database(load_settings()) as database:
        chosen = options.chosen_rows(database, ids, reason, project)
        done = work_lists.retry_deliveries(database, chosen)
    options.say_again(done, ids, "delivery", "deliveries")
