"""How do the tasks of a local project get into one of Label Studio's, each once?

Label Studio imports what it is given, as often as it is given it. So every task's data carry a key, and Label Studio is
asked which of the keys it has before any is sent. Then the tasks that it has are read with their numbers; in one
transaction for each chunk, task, jobs and where the task stands become the project's there. Annotations and decisions
stay with the row. A run that is cut off anywhere is gone on with by the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from backend.db import deliveries, task_state
from backend.db.engine import Database
from backend.db.local_tasks import KEY, key_of, token_of
from backend.db.questions import video_key
from backend.db.tables import Job, Project, Task
from backend.jobs.identity import job_identity
from backend.labelstudio.config import LabelConfig
from backend.labelstudio.payloads import PayloadError
from backend.labelstudio.task_data import TaskDataError
from backend.labelstudio.tasks import local_file_address, task_data
from backend.media.errors import MediaError
from backend.media.file_address import file_path, is_file_address
from backend.routes import LOCAL_FILES
from stvg_core import text
from stvg_core.errors import StvgError
from stvg_core.text import printable

CHUNK = 500
_AS_THERE = {"az": "azure-blob", "abfs": "azure-blob", "azure-blob": "azure-blob", "gcs": "gs", "gs": "gs", "s3": "s3"}
"""How Label Studio writes the schemes of storages."""


class LabelStudio(Protocol):
    """The calls of Label Studio that are needed."""

    def tasks(self, project_id: int, *, fields: str = "all") -> Iterator[dict[str, Any]]: ...
    def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> dict[str, Any]: ...


@dataclass
class Published:
    """What came of it.

    Attributes:
        imported: tasks that were sent; ``moved``: that belong to the project there now, those with them that a run sent
            which was cut off.
        suggestions: predictions that they are owed.
        local_files: of those that were sent, how many name a file that Label Studio serves.
        refused: sentences about tasks that stay local.
    """

    imported: int = 0
    moved: int = 0
    suggestions: int = 0
    local_files: int = 0
    refused: list[str] = field(default_factory=list)


class Refused(StvgError):
    """A task cannot be shown by Label Studio."""


def published_address(address: str, document_root: Path | None) -> str:
    """A local project's video address as Label Studio takes it; raises Refused where it has no way to show it."""
    if is_file_address(address):
        if document_root is None:
            raise Refused(
                f"{printable(address)} is a file of this machine. Label Studio shows files below its document root: "
                "set STVG_DOCUMENT_ROOT, or give --document-root."
            )
        try:
            return local_file_address(file_path(address), document_root)
        except (PayloadError, MediaError) as error:
            raise Refused(str(error)) from None
    scheme, mark, rest = address.partition("://")
    return f"{_AS_THERE.get(scheme.lower(), scheme)}{mark}{rest}" if mark else address


def address_or_none(address: str, document_root: Path | None) -> str | None:
    """The same; None instead of Refused."""
    try:
        return published_address(address, document_root)
    except Refused:
        return None


def publish(
    database: Database, label_studio: LabelStudio, local_id: int, project_id: int, config: LabelConfig, *,
    document_root: Path | None = None, progress: Callable[[int], None] = lambda tasks: None, chunk: int = CHUNK,
) -> Published:  # fmt: skip
    """Put all tasks of a local project there. Running it again adds only what is missing.

    Args:
        progress: gets how many more tasks were looked at.

    Raises:
        LabelStudioError: it is away, or refuses; what was done so far stays, and the next run goes on.
    """
    result = Published()
    with database.read() as session:
        token = token_of(session.get_one(Project, local_id))
    there = {one.key for one in _there(label_studio, project_id, token)}
    for tasks in _chunks(database, local_id, chunk):
        wanted = _prepared(tasks, token, config, document_root, result)
        missing = [data for key, data in wanted.items() if key not in there]
        if missing:
            label_studio.import_tasks(project_id, [{"data": data} for data in missing])
            result.imported += len(missing)
        there.update(wanted)
        progress(len(tasks))
    found = _there(label_studio, project_id, token) if there else iter(())
    while some := list(islice(found, chunk)):
        with database.write() as session:
            _move(session, local_id, project_id, some, config, result)
    return result


def _chunks(database: Database, local_id: int, size: int) -> Iterator[Sequence[Task]]:
    after = 0
    while True:
        with database.read() as session:
            mine = select(Task).where(Task.project_id == local_id, Task.ls_task_id > after).order_by(Task.ls_task_id)
            tasks = session.scalars(mine.options(joinedload(Task.video)).limit(size)).all()
        if not tasks:
            return
        after = tasks[-1].ls_task_id
        yield tasks


def _prepared(
    tasks: Sequence[Task], token: str, config: LabelConfig, document_root: Path | None, result: Published
) -> dict[str, dict[str, Any]]:
    """Each task's data for Label Studio, by its key."""
    found = {}
    for task in tasks:
        try:
            address = published_address(task.video_ref, document_root)
            fps = None if task.video is None else task.video.fps
            data = task_data(config, address, task.query, task.data, fps=fps)
        except (Refused, TaskDataError) as error:
            result.refused.append(f"{_named(task)}: {error}")
            continue
        result.local_files += address.startswith(LOCAL_FILES)
        key = key_of(token, task.id)
        found[key] = data | {KEY: key}
    return found


@dataclass(frozen=True)
class There:
    """A task in Label Studio that was a local one: our row, Label Studio's number, and its data."""

    key: str
    row: int
    number: int
    data: dict[str, Any]


def _there(label_studio: LabelStudio, project_id: int, token: str) -> Iterator[There]:
    """The tasks that Label Studio has of this local project. Of doubled ones (somebody copied a task) the first."""
    seen: set[str] = set()
    for task in label_studio.tasks(project_id, fields="task_only"):
        data = task.get("data") or {}
        key = str(data.get(KEY, ""))
        start, _, row = key.rpartition("-")
        if start == token and row.isascii() and row.isdigit() and key not in seen:
            seen.add(key)
            yield There(key, int(row), int(task["id"]), data)


def _move(
    session: Session, local_id: int, project_id: int, some: Sequence[There], config: LabelConfig, result: Published
) -> None:
    """Our rows of these tasks belong to Label Studio's project now, and are owed their suggestions."""
    session.execute(select(Project.id).where(Project.id == local_id).with_for_update())
    by_row = {one.row: one for one in some}
    local = Task.id.in_(by_row), Task.project_id == local_id
    # A worker that ends a job at this moment waits here, and then finds the task where it is.
    task_state.one_at_a_time(session, by_row)
    asked: dict[int, list[Job]] = {}
    jobs = select(Job).where(Job.task_id.in_(select(Task.id).where(*local))).order_by(Job.id).with_for_update()
    for job in session.scalars(jobs):
        asked.setdefault(job.task_id, []).append(job)
    taken = session.scalars(
        select(Task.ls_task_id).where(Task.project_id == project_id, Task.ls_task_id.in_([one.number for one in some]))
    ).all()
    moved = []
    for task in session.scalars(select(Task).where(*local).order_by(Task.id).with_for_update()):
        there = by_row[task.id]
        objection = _objection(task, there, there.number in taken, config)
        if objection is not None:
            result.refused.append(f"{_named(task)}: {objection}")
            continue
        _become(task, there, project_id, config, asked.get(task.id, []))
        moved.append(task.id)
    task_state.refresh(session, moved)
    states = [task_state.of_task(session, number) for number in moved]
    owed = [(state.prediction_id, state.task_id) for state in states if state and state.prediction_id is not None]
    deliveries.owe_many(session, owed)
    result.moved += len(moved)
    result.suggestions += len(owed)


def _objection(task: Task, there: There, taken: bool, config: LabelConfig) -> str | None:
    """Why a task stays local although Label Studio has it."""
    if taken:
        return (
            f"Label Studio asked about it (task {there.number}) before it was known where it comes from; its "
            "suggestion is given there all the same, what was decided here stays here"
        )
    if text.key(config.query_of(there.data)) != text.key(task.query):
        return f"it has another sentence in Label Studio (task {there.number}) by now"
    return None


def _become(task: Task, there: There, project_id: int, config: LabelConfig, asked: Sequence[Job]) -> None:
    old = task.video_ref
    task.project_id, task.ls_task_id, task.data = project_id, there.number, there.data
    task.video_ref = config.video_of(there.data)
    for job in asked:
        if job.video_ref == old:
            job.video_ref = task.video_ref
        job.video_key = video_key(project_id, job.video_ref)
        job.identity = job_identity(project_id, there.number, job.video_ref, job.query, job.model_version, job.prompt)


def _named(task: Task) -> str:
    return f"task {task.ls_task_id}" + (f" ({printable(task.name)})" if task.name else "")
