"""How do the tasks of a local project get into one of Label Studio's, each once?

Label Studio imports what it is given, as often as it is given it. So every task's data carry a key, and Label Studio is
asked which of the keys it has before any is sent. After each import the tasks are read with their numbers, and become
the project's there (:mod:`backend.db.adopting`). A run that is cut off anywhere is gone on with by the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from backend.db import deliveries
from backend.db.adopting import There, move, there_of
from backend.db.engine import Database
from backend.db.local_keys import KEY, key_of, token_of
from backend.db.local_tasks import mark_of
from backend.db.tables import Project, Task
from backend.labelstudio.config import read_config
from backend.labelstudio.payloads import PayloadError
from backend.labelstudio.task_checks import further_keys
from backend.labelstudio.task_data import TaskDataError, read_value
from backend.labelstudio.tasks import local_file_address, task_data
from backend.labelstudio.transport import LabelStudioError
from backend.media.errors import MediaError
from backend.media.file_address import file_path, is_file_address
from backend.routes import LOCAL_FILES
from backend.runs.turn import Turn
from stvg_core import text
from stvg_core.errors import StvgError
from stvg_core.text import printable

CHUNK = 500
_AS_THERE = {"az": "azure-blob", "abfs": "azure-blob", "azure-blob": "azure-blob", "gcs": "gs", "gs": "gs", "s3": "s3"}
"""How Label Studio writes the schemes of storages."""


Rate = Callable[[str], float | None]


class LabelStudio(Protocol):
    """The calls of Label Studio that are needed."""

    def tasks(self, project_id: int, *, fields: str = "all", after: int = 0) -> Iterator[dict[str, Any]]: ...
    def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> dict[str, Any]: ...


@dataclass
class Published:
    """What came of it.

    Attributes:
        imported: tasks that were sent; ``moved``: that belong to the project there now, those with them that a run sent
            which was cut off.
        suggestions: of these, those that have one.
        local_files: of those that were sent, how many name a file that Label Studio serves.
        refused: sentences about tasks that stay local, by our row.
        doubled: tasks there (their numbers) that are the same local task.
    """

    imported: int = 0
    moved: int = 0
    suggestions: int = 0
    local_files: int = 0
    refused: dict[int, str] = field(default_factory=dict)
    doubled: list[list[int]] = field(default_factory=list)


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
    database: Database, label_studio: LabelStudio, local_id: int, project_id: int, label_config: str, *,
    document_root: Path | None = None, progress: Callable[[int], None] = lambda tasks: None, chunk: int | None = None,
    turn: Turn | None = None, rate_of: Rate = lambda address: None,
) -> Published:  # fmt: skip
    """Put all tasks of a local project there. Running it again adds only what is missing.

    Args:
        label_config: the interface of the project there.
        progress: gets how many more tasks were looked at.
        turn: what keeps other runs from doing the same at this moment.
        rate_of: frames per second of a file that Label Studio serves, by its address there, where nobody has read it
            yet; None where they cannot be told. Writing them into each task afterwards takes a request each.

    Raises:
        LabelStudioError: it is away, or refuses; what was done so far stays, and the next run goes on.
        TurnError: another run does it by now.
    """
    turn = turn or Turn(database, f"publish {local_id}")
    with turn.taken():
        run = _Run(database, label_studio, local_id, project_id, label_config, document_root, rate_of)
        run.move(run.listed())
        for tasks in run.chunks(chunk or CHUNK):
            run.put(tasks, turn)
            progress(len(tasks))
        # Once more all of them: what an earlier run had sent may have arrived only now, or come twice.
        run.move(run.listed(doubled=run.result.doubled))
    return run.result


class _Run:
    """One run over a local project.

    Attributes:
        there: of our rows, those that Label Studio has a task of.
        pairs: what the project there asks about which video, with the number of the task; 0 where it was just sent.
    """

    def __init__(
        self, database: Database, label_studio: LabelStudio, local_id: int, project_id: int, label_config: str,
        document_root: Path | None, rate_of: Rate,
    ) -> None:  # fmt: skip
        self.database, self.label_studio, self.document_root = database, label_studio, document_root
        self.rate_of = rate_of
        self.local_id, self.project_id, self.config = local_id, project_id, read_config(label_config)
        self.further = [key for key in further_keys(label_config, self.config) if key != self.config.frame_rate_key]
        self.there: set[int] = set()
        self.pairs: dict[bytes, int] = {}
        self.result = Published()
        with database.read() as session:
            local = session.get_one(Project, local_id)
            self.token, self.own = token_of(local), read_config(local.label_config)

    def listed(self, *, after: int = 0, doubled: list[list[int]] | None = None) -> Iterator[There]:
        """The tasks that Label Studio has of the local project, by number. Of doubled ones only the first.

        Args:
            after: only those with a greater number.
            doubled: gets the numbers of those that are there more than once.
        """
        numbers: dict[int, list[int]] = {}
        for task in self.label_studio.tasks(self.project_id, fields="task_only", after=after):
            data = task.get("data") or {}
            video, query = self.config.video_of(data), self.config.query_of(data)
            pair = _pair(video, query, data)
            self.pairs[pair] = self.pairs.get(pair) or int(task["id"])
            found = there_of(int(task["id"]), video, query, data)
            if found is None or found.key.token != self.token:
                continue
            same = numbers.setdefault(found.key.row, [])
            same.append(found.number)
            if len(same) == 1:
                self.there.add(found.key.row)
                yield found
        if doubled is not None:
            doubled += [same for same in numbers.values() if len(same) > 1]

    def chunks(self, size: int) -> Iterator[Sequence[Task]]:
        after = 0
        while True:
            with self.database.read() as session:
                mine = Task.project_id == self.local_id, Task.ls_task_id > after
                query = select(Task).where(*mine).order_by(Task.ls_task_id).limit(size)
                tasks = session.scalars(query.options(joinedload(Task.video))).all()
            if not tasks:
                return
            after = tasks[-1].ls_task_id
            yield tasks

    def put(self, tasks: Sequence[Task], turn: Turn) -> None:
        """Import those that are not there, and make them the project's."""
        missing = [data for task in tasks if task.id not in self.there and (data := self._new(task)) is not None]
        if not missing:
            return
        turn.check()
        try:
            answer = self.label_studio.import_tasks(self.project_id, [{"data": data} for data in missing])
        except LabelStudioError as error:
            if error.temporary:  # it may go on with what it was sent, although nobody is told
                turn.keep()
            raise
        except BaseException:
            turn.keep()
            raise
        self.result.imported += len(missing)
        if numbers := answer.get("task_ids"):
            self.move(self.listed(after=min(numbers) - 1))

    def _new(self, task: Task) -> dict[str, Any] | None:
        """A task's data for Label Studio; None where it stays local."""
        try:
            data = self._data(task)
            pair = _pair(self.config.video_of(data), task.query, data)
            if pair in self.pairs:
                same = f"as task {self.pairs[pair]}" if self.pairs[pair] else "as another task of this local project"
                raise Refused(f"the project there has this video with this sentence already, {same}")
        except (Refused, TaskDataError) as error:
            self.result.refused[task.id] = f"{_named(task)}: {error}"
            return None
        self.pairs[pair] = 0
        self.result.local_files += self.config.played_of(data).startswith(LOCAL_FILES)
        return data

    def _data(self, task: Task) -> dict[str, Any]:
        """Raises Refused, TaskDataError."""
        address = published_address(task.video_ref, self.document_root)
        fps = task.video.fps if task.video is not None else self._rate(address)
        data = task_data(self.config, address, task.query, self._others(task), fps=fps)
        if lacking := [key for key in self.further if read_value(data, key) is None]:
            raise Refused(f'it has no "{lacking[0]}", which the interface of the project there shows')
        return data | {KEY: key_of(self.token, task.id, self.config.video_of(data))}

    def _rate(self, address: str) -> float | None:
        """Only of files, which need not be brought here."""
        return self.rate_of(address) if address.startswith(LOCAL_FILES) else None

    def _others(self, task: Task) -> dict[str, Any]:
        """What its source says besides: under other names there, address and sentence are not said a second time."""
        said = {self.own.video_key: task.video_ref, self.own.query_key: task.query}
        return {key: value for key, value in task.data.items() if key in self.further or said.get(key) != value}

    def move(self, found: Iterator[There]) -> None:
        """Our rows of these tasks belong to Label Studio's project now, and are owed their suggestions."""
        while some := {one.key.row: one for one in islice(found, CHUNK)}:
            with self.database.write() as session:
                self._move(session, some)

    def _move(self, session: Session, some: Mapping[int, There]) -> None:
        mine = Task.id.in_(sorted(some)) & (Task.project_id == self.local_id)
        local = session.scalars(select(Task).where(mine)).all()
        objections = {task.id: some[task.id].objection(task) for task in local}
        moved = move(session, self.project_id, {row: some[row] for row, why in objections.items() if why is None})
        for task in local:
            why = objections[task.id]
            if why is None and some[task.id].number not in moved:
                why = (
                    f"Label Studio's task {some[task.id].number} is known here as another one. Its suggestion is given "
                    "there all the same; what was decided here stays here"
                )
            if why is not None:
                self.result.refused[task.id] = f"{_named(task)}: {why}"
        self.result.moved += len(moved)
        self.result.suggestions += deliveries.owed_predictions(session, moved.values())


def _pair(video_ref: str, query: str, data: dict[str, Any]) -> bytes:
    return mark_of(video_ref, text.key(query), data)


def _named(task: Task) -> str:
    return f"task {task.ls_task_id}" + (f" ({printable(task.name)})" if task.name else "")
