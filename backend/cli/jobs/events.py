"""``stvg jobs events``: which webhooks came, and which could not be read?"""

from __future__ import annotations

import json

import click

from backend.bootstrap import ready_database
from backend.cli.groups import Group
from backend.cli.jobs import options
from backend.cli.project_option import project_number
from backend.db import events as stored
from backend.db import work_lists
from backend.settings import load_settings

_COLUMNS = "{id:>8}  {state:<15} {tries:>5}  {project:>8}  {action:<24} {reason}"


@click.group(cls=Group, invoke_without_command=True)
@click.option("--failed", is_flag=True, help="Only those that were set aside because they cannot be read.")
@click.option("--state", type=click.Choice(stored.STATES), help="Only those in this state.")
@options.project
@options.reason
@options.limit
@options.as_json
@click.pass_context
def events(
    context: click.Context, failed: bool, state: str | None, project: str | None, reason: str | None, limit: int,
    as_json: bool,
) -> None:  # fmt: skip
    """List what Label Studio's webhooks said, newest first."""
    if context.invoked_subcommand is not None:
        return
    state = "failed" if failed else state
    with ready_database(load_settings()) as database, database.read() as session:
        number = project_number(session, project)
        chosen = work_lists.Chosen((), () if state is None else (state,), number, None, reason)
        rows = [
            {
                "event": row.id,
                "state": row.state,
                "action": row.action,
                "project": row.project_id,
                "attempts": row.attempts,
                "received_at": row.received_at.isoformat(timespec="seconds"),
                "reason": row.reason,
            }
            for row in work_lists.list_events(session, chosen, limit=limit)
        ]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    if not rows:
        click.echo("No such events.")
        return
    titles = {"id": "EVENT", "state": "STATE", "tries": "TRIES", "project": "PROJECT", "action": "ACTION"}
    click.echo(_COLUMNS.format(**titles, reason="REASON"))
    for row in rows:
        whose = "-" if row["project"] is None else row["project"]
        line = _COLUMNS.format(
            id=row["event"], state=row["state"], tries=row["attempts"], project=whose, action=row["action"],
            reason=options.short(str(row["reason"] or ""), 400),
        )  # fmt: skip
        click.echo(line.rstrip())


@events.command()
@click.argument("ids", metavar="[ID]...", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, help="Every one that was set aside.")
@options.reason
@options.project
def retry(ids: tuple[int, ...], everything: bool, reason: str | None, project: str | None) -> None:
    """Have the events read again that were set aside."""
    options.require_choice(ids, everything, reason, project)
    with ready_database(load_settings()) as database:
        chosen = options.chosen_rows(database, ids, reason, project)
        done = work_lists.retry_events(database, chosen)
    options.say_again(done, ids, "event", "events")
