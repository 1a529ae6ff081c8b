"""Which task should a reviewer look at next? Asked of ``task_state``, a page at a time (``backend.review.keyset``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, TypeVarTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from backend.db import annotations as versions
from backend.db import projects
from backend.db.choices import values_of
from backend.db.tables import Annotation, Diff, Task, TaskState
from backend.db.task_state import STATES
from backend.review import diff, keyset
from backend.review.keyset import END, Cursor
from backend.review.queue_rows import QueueRow, rows_of, video_name
from backend.review.queue_search import matches

__all__ = [
    "PAGE", "SORTS", "STATES", "QueueFilter", "QueuePage", "QueueRow", "first", "look", "neighbours", "row_of",
    "value_kind", "video_name",
]  # fmt: skip

Sort = Literal["uncertainty", "disagreement", "versions", "age", "annotator"]
_COLUMNS: dict[Sort, tuple[Any, type]] = {
    "uncertainty": (TaskState.uncertainty, float),
    "disagreement": (TaskState.disagreement, float),
    "versions": (TaskState.versions_agree, float),
    "age": (TaskState.since, datetime),
    "annotator": (TaskState.author_id, int),
}
SORTS: tuple[Sort, ...] = tuple(_COLUMNS)
PAGE = 50
_AT_ONCE = 500


@dataclass(frozen=True)
class QueueFilter:
    """What to look at, and in which order.

    Attributes:
        project_id: Label Studio's number; negative for a local project.
        annotator: Label Studio's number of somebody who annotated the task.
        search: words that the sentence or the file's name must have, with single spaces (``queue_search.tidy``).
        below: only suggestions whose uncertainty is known and smaller.
        as_is: only tasks whose label is their newest suggestion, saved without a change, in each of its objects.
        sort: "age" is the time since the task came into its state, "versions" how far model versions disagree; tasks
            without the value asked for come last.
        descending: the most uncertain, the most disputed, the longest waiting, the highest number first.
        cursor: where the page begins or ends; None is the first page.
    """

    state: str | None = None
    project_id: int | None = None
    model_version: str | None = None
    annotator: int | None = None
    search: str = ""
    below: float | None = None
    as_is: bool = False
    sort: Sort = "uncertainty"
    descending: bool = True
    cursor: Cursor | None = None

    @property
    def downwards(self) -> bool:
        """The longest waiting is the earliest moment; who disagrees most has the lowest vIoU."""
        return self.descending != (self.sort in ("age", "versions"))


@dataclass(frozen=True)
class QueuePage:
    """One page of the queue.

    Attributes:
        rows: at most ``PAGE``.
        total: tasks under the filter.
        counts: tasks by state under the other filters, every state of ``STATES``.
        previous, next: cursors of the pages beside this one; None where there is none.
        projects: number, and the title of a local one; ``model_versions``, ``annotators``: what can be chosen.
    """

    rows: list[QueueRow]
    total: int
    counts: dict[str, int]
    previous: Cursor | None
    next: Cursor | None
    projects: list[tuple[int, str | None]]
    model_versions: list[str]
    annotators: list[int]

    @property
    def last(self) -> Cursor | None:
        """Of the last page, None where this is it."""
        return None if self.next is None else END


def value_kind(sort: Sort) -> type:
    """Which kind of value a cursor of this order has."""
    return _COLUMNS[sort][1]


def look(session: Session, chosen: QueueFilter, *, size: int | None = None) -> QueuePage:
    """A page of the queue, of ``PAGE`` tasks or of another size, and what can be chosen."""
    counted = _under(session, select(TaskState.state, func.count()), chosen).group_by(TaskState.state)
    counts = dict.fromkeys(STATES, 0) | dict(session.execute(counted).tuples().all())
    places, previous, following = _page(session, chosen, PAGE if size is None else size)
    return QueuePage(
        rows=rows_of(session, [number for _, number in places]),
        total=sum(counts.values()) if chosen.state is None else counts[chosen.state],
        counts=counts,
        previous=Cursor(*places[0], backwards=True) if previous else None,
        next=Cursor(*places[-1]) if following else None,
        projects=projects.titles(session),
        model_versions=[name for name in values_of(session, TaskState.model_version) if name],
        annotators=versions.authors(session),
    )


def first(session: Session, chosen: QueueFilter, count: int) -> Iterator[QueueRow]:
    """The first tasks under the filter, a few hundred in memory at a time."""
    cursor: Cursor | None = None
    while count > 0:
        places = _places(session, replace(chosen, cursor=cursor), min(count, _AT_ONCE))
        yield from rows_of(session, [number for _, number in places])
        if len(places) < _AT_ONCE:
            return
        cursor, count = Cursor(*places[-1]), count - len(places)


def neighbours(session: Session, chosen: QueueFilter, task_id: int) -> tuple[int | None, int | None]:
    """The tasks before and after one in the filtered order; also where it has just left the filter's state."""
    column, _ = _COLUMNS[chosen.sort]
    own = _under(session, select(column), chosen).where(TaskState.task_id == task_id)
    here = session.execute(own).one_or_none()
    if here is None:
        return None, None
    before = _places(session, replace(chosen, cursor=Cursor(here[0], task_id, backwards=True)), 1)
    after = _places(session, replace(chosen, cursor=Cursor(here[0], task_id)), 1)
    return (before[0][1] if before else None), (after[0][1] if after else None)


def row_of(session: Session, task_id: int) -> QueueRow | None:
    """One task as the queue shows it, None where there is none."""
    found = rows_of(session, [task_id])
    return found[0] if found else None


_Place = tuple[keyset.Value, int]
Columns = TypeVarTuple("Columns")


def _page(session: Session, chosen: QueueFilter, size: int) -> tuple[list[_Place], bool, bool]:
    """The page's tasks in order, and whether there are some before and behind it.

    Where a page was come to from, there is one: what left it meanwhile leads to the first or the last page instead.
    """
    cursor = chosen.cursor
    found = _places(session, chosen, size + 1)
    more, found = len(found) > size, found[:size]
    if cursor is None:
        return found, False, more
    if not cursor.backwards:
        return (found, True, more) if found else _page(session, replace(chosen, cursor=END), size)
    if cursor != END and len(found) < size:
        return _page(session, replace(chosen, cursor=None), size)
    return found[::-1], more, cursor != END


def _places(session: Session, chosen: QueueFilter, count: int) -> list[_Place]:
    """The first tasks behind the filter's cursor (or the last before it, nearest first): value and number."""
    column, cursor, number = _COLUMNS[chosen.sort][0], chosen.cursor, TaskState.task_id
    backwards = cursor is not None and cursor.backwards
    query = _under(session, select(column, number), chosen)
    if chosen.state is not None:
        query = query.where(TaskState.state == chosen.state)
    query = query.where(*keyset.beyond(column, number, cursor, downwards=chosen.downwards))
    ordered = query.order_by(*keyset.order(column, number, downwards=chosen.downwards, backwards=backwards))
    return list(session.execute(ordered.limit(count)).tuples())


def _under(session: Session, query: Select[*Columns], chosen: QueueFilter) -> Select[*Columns]:
    """The query under all filters but the state."""
    if chosen.project_id is not None:
        query = query.where(TaskState.project_id == chosen.project_id)
    if chosen.model_version is not None:
        query = query.where(TaskState.model_version == chosen.model_version)
    if chosen.annotator is not None:
        # Joined to, not searched in: beginning with the person's own annotations is right, however many there are.
        mine = Annotation.author_id == chosen.annotator, Annotation.current.is_(True), Annotation.task_id.is_not(None)
        said = select(Annotation.task_id).where(*mine).distinct().subquery("said")
        query = query.join(said, said.c.task_id == TaskState.task_id)
    if chosen.below is not None:
        query = query.where(TaskState.uncertainty < chosen.below)
    if chosen.as_is:
        objects = select(Diff.annotation_id).where(Diff.annotation_id == TaskState.annotation_id)
        same = Diff.object == 0, Diff.change == diff.ACCEPTED, Diff.prediction_id == TaskState.prediction_id
        query = query.where(objects.where(*same).exists(), ~objects.where(Diff.change != diff.ACCEPTED).exists())
    if chosen.search:
        query = query.join(Task, Task.id == TaskState.task_id).where(matches(session, chosen.search))
    return query
