"""``stvg connect --from``: a local project's tasks and suggestions go into the Label Studio project."""

from __future__ import annotations

import sys

import click
from sqlalchemy import func, select
from tqdm import tqdm

from backend.db import projects
from backend.db.engine import Database
from backend.db.tables import Task
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.connect import ProjectPlan
from backend.labelstudio.task_checks import Placed
from backend.labelstudio.task_videos import TaskVideos
from backend.runs.publishing import publish
from backend.runs.turn import Turn
from backend.settings import Settings, SettingsError
from stvg_core.errors import StvgError
from stvg_core.text import printable

_NAMED = 20


def local_number(database: Database | None, title: str) -> int:
    """The number of the local project that is meant.

    Raises:
        SettingsError: there is no database, or it is no local project.
        UnknownProject: none has that title.
    """
    if database is None:
        raise SettingsError("--from needs the database with the local project, ready: check it with stvg db status.")
    with database.read() as session:
        number = projects.number_of(session, title)
        if number > 0 or projects.find(session, number) is None:
            raise SettingsError(f"--from names a local project, which {title} is not.")
    return number


def put_there(
    database: Database, client: LabelStudioClient, settings: Settings, local_id: int, project_id: int,
    plan: ProjectPlan, known: TaskVideos,
) -> list[str]:  # fmt: skip
    """Do it; returns what was done, one sentence each, and says on stderr what could not be."""
    with database.write() as session:
        projects.register(session, project_id, plan.label_config)
        total = session.scalar(select(func.count()).select_from(Task).where(Task.project_id == local_id))
    with tqdm(total=total, desc="tasks", unit="task", disable=None, leave=False) as bar:

        def tell(said: str) -> None:
            bar.write(f"- {said}", file=sys.stderr)

        def rate_of(address: str) -> float | None:
            try:
                video = known.look(Placed(address))
            except StvgError:
                return None  # said of the task, once that is there
            return video.fps if video is not None and video.fps >= 1 else None

        turn = Turn(database, f"publish {local_id}", settings.lease_seconds, tell)
        found = publish(
            database, client, local_id, project_id, plan.label_config, document_root=settings.document_root,
            progress=bar.update, turn=turn, rate_of=rate_of,
        )  # fmt: skip
    for sentence in list(found.refused.values())[:_NAMED]:
        click.echo(f"warning: stays local: {printable(sentence)}", err=True)
    if len(found.refused) > _NAMED:
        click.echo(f"warning: {len(found.refused) - _NAMED} more stay local", err=True)
    for same in found.doubled[:_NAMED]:
        numbers = ", ".join(map(str, same))
        click.echo(f"warning: one sentence is there more than once: tasks {numbers}. Delete all but one", err=True)
    if len(found.doubled) > _NAMED:
        click.echo(f"warning: {len(found.doubled) - _NAMED} more are there more than once", err=True)
    if found.local_files and not client.local_storages(project_id):
        click.echo(
            "warning: Label Studio shows files only of folders that are connected: name the folder of the videos, "
            "--videos",
            err=True,
        )
    return [
        f"put {found.imported} tasks there; {found.moved} belong to the project now, {found.suggestions} of them with "
        "a suggestion, which a worker pushes",
        *([f"{len(found.refused)} tasks stay local (listed above)"] if found.refused else []),
    ]
