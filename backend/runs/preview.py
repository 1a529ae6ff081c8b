"""What would a run do with the items of a source? Looked up without storing anything, for the look before a run."""

from __future__ import annotations

from sqlalchemy.orm import Session

from backend.db import jobs, runs
from backend.db.local_tasks import LocalTasks
from backend.prelabel.checking import Known
from backend.prelabel.item import Item
from backend.runs.enqueue import LocalPlaces

_STATES = {
    jobs.DONE: Known.ANSWERED, jobs.QUEUED: Known.WAITS, jobs.RUNNING: Known.WAITS, jobs.FAILED: Known.ENDED,
    jobs.CANCELLED: Known.ENDED,
}  # fmt: skip


class KnownItems:
    """Tells it of one item after the other.

    Args:
        project_id: of one of Label Studio's projects, or of a local one.
        version: the model version that would be asked.
        retry_failed: those that failed would be asked again.
        places: of a local project.
    """

    def __init__(
        self, session: Session, project_id: int, version: str, *, retry_failed: bool, places: LocalPlaces | None = None
    ) -> None:
        self._places = places
        self._states = {one.task_id: one.state for one in runs.all_of(session, project_id, version)}
        self._retry_failed = retry_failed
        self._local = LocalTasks(project_id)
        if places is not None:
            self._local.look(session)
        self._numbers = {} if places is not None else runs.rows_by_number(session, project_id)

    def __call__(self, item: Item) -> Known:
        if self._places is None:
            row = None if item.task is None else self._numbers.get(item.task)
        else:
            task = self._local.find(self._places.wanted(item))
            if task is not None and task.published:
                return Known.ANSWERED  # it is asked in Label Studio
            row = None if task is None else task.id
        state = None if row is None else self._states.get(row)
        if state is None:
            return Known.NEW
        return Known.WAITS if self._retry_failed and state == jobs.FAILED else _STATES[state]
