"""Do the tasks carry their videos' true frame rates? With a wrong one, Label Studio stretches every tube in silence."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from sqlalchemy import select

from backend.db import projects
from backend.db.engine import Database
from backend.db.tables import Task, Video
from backend.doctor.finding import Finding, fail, ok, warn
from backend.doctor.installation import Installation
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.config import LabelConfigError, read_config
from backend.labelstudio.transport import LabelStudioError

ABOUT = "frame rates"
SAMPLE = 20
"""Tasks of each project."""
_PROJECTS = 20


def check(installation: Installation) -> Iterator[Finding]:
    """Do the projects' tasks have frame rates that fit their videos?"""
    database, client = installation.database, installation.label_studio
    if database is None or client is None:
        return
    with database.read() as session:
        numbers = projects.in_label_studio(session)[:_PROJECTS]
    for number in numbers:
        try:
            yield from _project(database, client, number)
        except LabelStudioError as error:
            if error.status is None:
                return  # its own check says it
            if error.status != 404:
                yield warn(ABOUT, f"Project {number}: {error}", "Use the token of somebody who may see the project.")


def _project(database: Database, client: LabelStudioClient, number: int) -> Iterator[Finding]:
    try:
        config = read_config(str(client.project(number).get("label_config") or ""))
    except LabelConfigError as error:
        yield warn(ABOUT, f"Project {number}: {error}", f"Run: stvg connect --project {number}")
        return
    tasks = list(islice(client.tasks(number, fields="task_only"), SAMPLE))
    known = _rates(database, number, [int(task["id"]) for task in tasks])
    compared, missing, wrong = 0, 0, []
    for task in tasks:
        fps, data = known.get(int(task["id"])), task.get("data") or {}
        if fps is None:
            continue
        compared += 1
        if not config.has_frame_rate(data):
            missing += 1
        elif (problem := config.frame_rate_problem(data, fps)) is not None:
            wrong.append(f"task {task['id']}: {problem}")
    mend = f"Run: stvg connect --project {number}"
    if wrong:
        yield fail(ABOUT, f"{len(wrong)} of {compared} tasks of project {number} have a wrong rate; {wrong[0]}", mend)
    elif missing:
        yield warn(ABOUT, f"{missing} of {compared} tasks of project {number} have no frame rate yet.", mend)
    else:
        yield ok(ABOUT, f"{compared} of {len(tasks)} sampled tasks of project {number} were compared and are right.")


def _rates(database: Database, project_id: int, numbers: list[int]) -> dict[int, float]:
    """Frames per second of the tasks whose video was seen, by Label Studio's number."""
    query = select(Task.ls_task_id, Video).join(Video, Task.video_id == Video.id)
    query = query.where(Task.project_id == project_id, Task.ls_task_id.in_(numbers))
    with database.read() as session:
        return {number: video.fps for number, video in session.execute(query)}
