"""``stvg report``: what the suggestions save, and how far annotators agree."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from sqlalchemy.orm import Session

from backend.annotations.marks import MARKS
from backend.bootstrap import open_database
from backend.cli.groups import Group
from backend.cli.project_option import PROJECT, project_number
from backend.db import projects, schema
from backend.review import effort as effort_
from backend.review import opinions
from backend.settings import SettingsError, load_settings
from stvg_core.datasets import hcstvg
from stvg_core.tube import Tube

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_EFFORT = "{change:<22} {n:>6} {with_:>8} {without:>8} {saved:>8} {lead:>10}"
_TASK = "{task:>13} {people:>6} {mean:>6} {worst:>6} {consensus:>13}  {apart}"
_TASK_TITLES = {
    "people": "PEOPLE", "mean": "MEAN", "worst": "WORST", "consensus": "CONSENSUS", "apart": "STANDS APART",
}  # fmt: skip
_PERSON = "{person:>13} {tasks:>6} {mean:>6} {apart:>6}"


@click.group("report", cls=Group)
def command() -> None:
    """Numbers over the corrections in the database, or over files."""


@command.command()
@click.option("--project", type=PROJECT, help="Only this project.")
@click.option("--truth", type=_FILE, help="An HC-STVG file of true tubes, instead of the database.")
@click.option("--predictions", type=_FILE, help="With --truth: an HC-STVG file of suggestions, by the same names.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def effort(project: str | None, truth: Path | None, predictions: Path | None, as_json: bool) -> None:
    """Edits from the suggestion to the accepted tube, against edits from nothing.

    An edit is a keyframe placed, moved or deleted, or an end moved; docs/review.md has the rules.
    """
    if (truth is None) != (predictions is None):
        raise click.UsageError("--truth and --predictions belong together.")
    left_out: Counter[str] = Counter()
    marked: Counter[str] = Counter()
    missing = 0
    if truth is not None and predictions is not None:
        if project is not None:
            raise click.UsageError("--project is of the database; with --truth there is none.")
        wanted, suggested = _tubes(truth), _tubes(predictions)
        missing = len(wanted.keys() - suggested.keys())
        left_out["prediction without a true tube"] = len(suggested.keys() - wanted.keys())
        cases = effort_.dataset_cases(wanted, suggested)
    else:
        with _reading(project) as (session, project_id):
            cases = effort_.stored_cases(session, left_out, project_id=project_id, marked=marked)
    left_out = +left_out
    rows, total = effort_.by_change(cases), effort_.total(cases)
    if as_json:
        content: dict[str, Any] = {"total": total.to_json()}
        content["by_change"] = {change: row.to_json() for change, row in rows.items()}
        content |= {"left_out": dict(left_out), "missing_predictions": missing, "look_at": dict(marked)}
        click.echo(json.dumps(content, ensure_ascii=False))
        return
    if not cases:
        click.echo("There is no correction to count yet.")
    else:
        titles = {"with_": "WITH", "without": "WITHOUT", "saved": "SAVED", "lead": "LEAD TIME"}
        click.echo(_EFFORT.format(change="CHANGE", n="N", **titles))
        for change, row in {**rows, "all suggestions": total}.items():
            click.echo(_effort_line(change, row))
        click.echo("WITH, WITHOUT: median edits with and without the suggestion. SAVED: of the sum of edits.")
    if missing:
        click.echo(f"{missing} true tubes have no prediction: counted as drawn from nothing")
    for kind, meaning in MARKS.items():
        if marked[kind]:
            click.echo(f"look at {marked[kind]} annotations: {meaning}")
    for change, number in sorted(left_out.items()):
        click.echo(f"{number} left out: {change}")


@command.command()
@click.option("--project", type=PROJECT, help="Only this project.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def agreement(project: str | None, as_json: bool) -> None:
    """Pairwise vIoU of all who annotated the same task, the tube of the majority, and who stands apart."""
    people, means = opinions.Authors(), []
    described: list[dict[str, Any]] = []
    with _reading(project) as (session, project_id):
        for entry in opinions.walk(session, project_id=project_id):
            people.add(entry.agreement)
            means.append(entry.agreement.mean)
            if as_json:
                described.append(opinions.to_json(entry))
                continue
            if len(means) == 1:
                click.echo(_TASK.format(task="PROJECT/TASK", **_TASK_TITLES))
            click.echo(_task_line(entry))
    mean = sum(means) / len(means) if means else None
    if as_json:
        content = {
            "tasks": described,
            "annotators": [{**vars(person), "mean": round(person.mean, 4)} for person in people.rows()],
            "mean_viou": None if mean is None else round(mean, 4),
        }
        click.echo(json.dumps(content, ensure_ascii=False))
        return
    if mean is None:
        click.echo("No task has been annotated by two people yet.")
        return
    click.echo("CONSENSUS: first and last frame, counted from 1 as in Label Studio; --json counts from 0.")
    click.echo()
    click.echo(_PERSON.format(person="ANNOTATOR", tasks="TASKS", mean="MEAN", apart="APART"))
    for person in people.rows():
        columns = {"tasks": person.tasks, "mean": f"{person.mean:.3f}", "apart": person.apart}
        click.echo(_PERSON.format(person=person.author_id, **columns))
    click.echo(f"mean vIoU over {len(means)} tasks: {mean:.3f}")


@contextmanager
def _reading(project: str | None) -> Iterator[tuple[Session, int | None]]:
    database = open_database(load_settings())
    try:
        schema.check_ready(database.engine)
        with database.read() as session:
            project_id = project_number(session, project)
            if project_id is not None and projects.find(session, project_id) is None:
                raise SettingsError(f"There is no project {project_id} in the database.")
            yield session, project_id
    finally:
        database.close()


def _tubes(path: Path) -> dict[str, Tube]:
    return {record.video: record.tube() for record in hcstvg.read(path)}


def _effort_line(change: str, row: effort_.Effort) -> str:
    def number(value: float | None, form: str) -> str:
        return "-" if value is None else format(value, form)

    return _EFFORT.format(
        change=change,
        n=row.n,
        with_=number(row.median_with, "g"),
        without=number(row.median_without, "g"),
        saved=number(row.saved, ".0%"),
        lead="-" if row.median_lead_time_s is None else f"{row.median_lead_time_s:.1f} s",
    )


def _task_line(entry: opinions.TaskAgreement) -> str:
    found, common = entry.agreement, entry.agreement.consensus
    apart = [found.opinions[i] for i in found.outliers]
    return _TASK.format(
        task=f"{entry.task.project_id}/{entry.task.ls_task_id}",
        people=len(found.opinions),
        mean=f"{found.mean:.3f}",
        worst=f"{found.worst:.3f}",
        consensus="-" if common is None else f"{common.tube.start_frame + 1}-{common.tube.end_frame + 1}",
        apart=", ".join(f"annotator {o.author_id} (annotation {o.annotation_id})" for o in apart) or "-",
    )
