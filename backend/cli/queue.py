"""``stvg queue``: which tasks to look at first, here and in Label Studio."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice

import click
from sqlalchemy.orm import Session

from backend.bootstrap import open_database, require_label_studio
from backend.cli.groups import Group
from backend.cli.project_option import PROJECT, in_label_studio, project_number
from backend.db import schema
from backend.jobs import ordering
from backend.review import queue, to_check
from backend.review.next_frame import Doubt
from backend.review.queue_search import tidy
from backend.settings import load_settings
from stvg_core.notice import notice, notice_of_some

_LINE = "{task:>13}  {state:<10} {uncertainty:>11} {disagreement:>12} {versions:>8} {change:<20} {check:<12} {query}"


@click.group("queue", cls=Group)
def command() -> None:
    """The review queue, and the order in which Label Studio hands out tasks."""


@command.command("list")
@click.option("--project", type=PROJECT, help="Only this project.")
@click.option("--state", type=click.Choice(queue.STATES), help="Only tasks in this state.")
@click.option("--search", default="", metavar="WORDS", help="Only tasks with these words in sentence or file name.")
@click.option(
    "--sort", type=click.Choice(queue.SORTS), default="uncertainty", show_default=True,
    help="disagreement: of annotators; versions: of model versions.",
)  # fmt: skip
@click.option("--ascending", is_flag=True, help="The most certain, the newest, the most agreed first.")
@click.option("--limit", type=click.IntRange(min=1), default=queue.PAGE, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def list_command(
    project: str | None, state: str | None, search: str, sort: queue.Sort, ascending: bool, limit: int, as_json: bool
) -> None:
    """Tasks with their state, the most uncertain suggestion first.

    CHECK is the frame of the suggestion to look at first, counted from 1 as in Label Studio, and what speaks against
    it. VERSIONS is the vIoU of the suggestion with those of other model versions: 1 where they agree.
    """
    settings = load_settings()
    database = open_database(settings)
    try:
        schema.check_ready(database.engine)
        with database.read() as session:
            number = project_number(session, project)
            chosen = queue.QueueFilter(
                state=state, project_id=number, search=tidy(search), sort=sort, descending=not ascending
            )
            rows = _with_frames(session, queue.first(session, chosen, limit))
            for row, doubt in rows if as_json else ():
                more = {
                    "waiting_since": row.waiting_since.isoformat(),
                    "notice": notice(row.model_version),
                    "check": None if doubt is None else asdict(doubt),
                    "label_studio_url": settings.task_in_label_studio(row.project_id, row.ls_task_id),
                }
                click.echo(json.dumps({**vars(row), **more}, ensure_ascii=False))
            if not as_json:
                _table(rows)
    finally:
        database.close()


def _with_frames(session: Session, rows: Iterator[queue.QueueRow]) -> Iterator[tuple[queue.QueueRow, Doubt | None]]:
    """Each row with the frame to check first of its suggestion, if one is named."""
    while some := list(islice(rows, to_check.AT_ONCE)):
        named = to_check.first_of_tasks(session, [row.task_id for row in some])
        yield from ((row, named.get(row.task_id)) for row in some)


def _table(rows: Iterator[tuple[queue.QueueRow, Doubt | None]]) -> None:
    """The rows as they come, and what is to be known of them."""
    titles = {
        "state": "STATE", "uncertainty": "UNCERTAINTY", "disagreement": "DISAGREEMENT", "versions": "VERSIONS",
        "change": "CHANGE", "check": "CHECK",
    }  # fmt: skip
    versions: Counter[str] = Counter()
    shown = comparing = 0
    for shown, (row, doubt) in enumerate(rows, 1):
        if shown == 1:
            click.echo(_LINE.format(task="PROJECT/TASK", query="QUERY", **titles))
        click.echo(
            _LINE.format(
                task=f"{row.project_id}/{row.ls_task_id}",
                state=row.state,
                uncertainty=_number(row.uncertainty),
                disagreement=_number(row.disagreement),
                versions=_number(row.versions_agree),
                change=row.change or "-",
                check="-" if doubt is None else f"{doubt.frame + 1} {doubt.kind}",
                query=" ".join(row.query.split()),
            )
        )
        comparing += row.comparing
        if row.model_version:
            versions[row.model_version] += 1
    if not shown:
        click.echo("No tasks.")
    if comparing:
        click.echo(f"The annotators of {comparing} tasks are not compared yet: a worker does it, and stvg sync.")
    if said := notice_of_some(versions, "suggestions are"):
        click.echo(said)


@command.command()
@click.option("--project", type=PROJECT, required=True, help="The Label Studio project.")
@click.option(
    "--order",
    type=click.Choice(["uncertain", "certain"]),
    default="uncertain",
    show_default=True,
    help="certain: quick to accept first.",
)
def push(project: str, order: ordering.Order) -> None:
    """Write each task's uncertainty to Label Studio and order a tab of its Data Manager by it.

    Running it again changes only what is another by now.
    """
    settings = load_settings()
    client = require_label_studio(settings)
    database = open_database(settings)
    try:
        schema.check_ready(database.engine)
        with database.read() as session:
            project_id = in_label_studio(session, project)
        with client:
            found = ordering.push(database, client, project_id, order)
    finally:
        database.close()
    click.echo(
        f"- tasks: {found.written} written, {found.unchanged} as they were, {found.unknown} without a suggestion"
    )
    click.echo(f"- tab: {ordering.TITLES[order]!r} {'set' if found.tab_changed else 'as it was'}")
    address = f"{client.url}/projects/{project_id}/data?tab={found.view_id}"
    click.echo(f'Annotators follow it by "Label Tasks As Displayed" (in the menu of the label button): {address}')


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
