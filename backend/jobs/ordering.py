"""In which order does Label Studio hand out tasks? By the uncertainty of their suggestions, if it is told.

The open edition orders by a column of the task's data. So ``uncertainty`` is written into each task's data, and a tab
of the Data Manager is ordered by it as a number: "Label Tasks As Displayed" there follows the order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sqlalchemy import select

from backend.db.engine import Database
from backend.db.tables import Task, TaskState
from backend.labelstudio.transport import LabelStudioError

Order = Literal["uncertain", "certain"]
KEY = "uncertainty"
COLUMN = f"tasks:data.{KEY}"
TITLES: dict[Order, str] = {"uncertain": "Most uncertain first", "certain": "Most certain first"}
DIGITS = 4
"""Enough for an order, and never written with an exponent: PostgreSQL may compare the values as text."""


_OUT_OF_THE_WAY = (
    "inner_id", "completed_at", "cancelled_annotations", "total_predictions", "annotations_results", "annotations_ids",
    "predictions_score", "predictions_model_versions", "predictions_results", "file_upload", "storage_filename",
    "created_at", "updated_at", "updated_by", "avg_lead_time", "draft_exists", "allow_skip", "data.fps",
)  # fmt: skip
HIDDEN = {
    "explore": [f"tasks:{name}" for name in _OUT_OF_THE_WAY],
    "labeling": [f"tasks:{name}" for name in ("id", "annotators", "data.video", *_OUT_OF_THE_WAY)],
}
"""Columns that a new tab does not show, in the list and beside a task: with them the sentence and the video are off the
screen. Whoever changes them in the tab keeps what they chose.
"""


class LabelStudio(Protocol):
    """The calls of Label Studio that are needed."""

    def tasks(self, project_id: int, *, fields: str = "all") -> Iterator[dict[str, Any]]: ...
    def task(self, task_id: int) -> dict[str, Any]: ...
    def patch_task_data(self, task_id: int, data: Mapping[str, Any]) -> dict[str, Any]: ...
    def views(self, project_id: int) -> list[dict[str, Any]]: ...
    def create_view(self, project_id: int, data: dict[str, Any]) -> dict[str, Any]: ...
    def update_view(self, view_id: int, project_id: int, data: dict[str, Any]) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Pushed:
    """How many tasks were written, were right already, or have no suggestion (or none with a known uncertainty).

    ``tab_changed``: the tab was made or changed; ``view_id`` is its number.
    """

    written: int
    unchanged: int
    unknown: int
    view_id: int
    tab_changed: bool


def uncertainties(database: Database, project_id: int) -> dict[int, float]:
    """By Label Studio's number of the task, of its newest suggestion; tasks without one are left out."""
    query = select(Task.ls_task_id, TaskState.uncertainty).join(TaskState, TaskState.task_id == Task.id)
    known = query.where(TaskState.project_id == project_id, TaskState.uncertainty.is_not(None))
    with database.read() as session:
        rows = session.execute(known).tuples().all()
    return {number: round(value, DIGITS) for number, value in rows if value is not None}


def push(database: Database, label_studio: LabelStudio, project_id: int, order: Order) -> Pushed:
    """Write what is missing or another; a task that was deleted meanwhile is left out.

    Raises:
        LabelStudioError: Label Studio is away, or the project is gone.
    """
    wanted = uncertainties(database, project_id)
    view_id, tab_changed = _tab(label_studio, project_id, order)
    written = unchanged = unknown = 0
    for task in label_studio.tasks(project_id, fields="task_only"):
        number = int(task["id"])
        value = wanted.get(number)
        unknown += value is None
        if (task.get("data") or {}).get(KEY) == value:
            unchanged += value is not None
        elif _write(label_studio, number, value):
            written += 1
    return Pushed(written, unchanged, unknown, view_id, tab_changed)


def _write(label_studio: LabelStudio, number: int, value: float | None) -> bool:
    """Change the one key; the data are read again for it, because Label Studio replaces all of them."""
    try:
        data = label_studio.task(number).get("data") or {}
        others = {key: entry for key, entry in data.items() if key != KEY}
        label_studio.patch_task_data(number, others if value is None else {**others, KEY: value})
    except LabelStudioError as error:
        if error.status == 404:
            return False
        raise
    return True


def _tab(label_studio: LabelStudio, project_id: int, order: Order) -> tuple[int, bool]:
    """The one tab of ours, made or brought to the order that is asked for."""
    ordering = [f"-{COLUMN}" if order == "uncertain" else COLUMN]
    wanted = {"title": TITLES[order], "ordering": ordering, "columnsDisplayType": {COLUMN: "Number"}}
    for view in label_studio.views(project_id):
        data = view.get("data") or {}
        if data.get("title") not in TITLES.values():
            continue
        if "hiddenColumns" in data and all(data.get(key) == value for key, value in wanted.items()):
            return int(view["id"]), False
        label_studio.update_view(int(view["id"]), project_id, {"hiddenColumns": HIDDEN, **data, **wanted})
        return int(view["id"]), True
    made = label_studio.create_view(project_id, {"type": "list", "target": "tasks", "hiddenColumns": HIDDEN, **wanted})
    return int(made["id"]), True
