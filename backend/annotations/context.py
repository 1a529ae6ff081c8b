"""What is stored that a saved annotation is read against? Loaded for many annotations at once.

A reading is computed outside of a transaction, so it must be known at the time of writing whether it still holds: a
:class:`Basis` has all that it depends on, as short values that can be compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import BindParameter, bindparam, select
from sqlalchemy.orm import Session, joinedload

from backend.annotations.keyframe_rows import keyframes
from backend.annotations.wish import Found, Wish
from backend.db import annotations as versions
from backend.db import deliveries, follow_results, predictions
from backend.db.tables import Annotation, Base, Prediction, Project, Task, Video
from backend.labelstudio.asking import suggested_as
from stvg_core.keyframes import expand

_SPAN = "-span"
_MOST = 500
"""Values per statement: databases limit them."""

Value = TypeVar("Value")

_TASK, _VIDEO, _PROJECT = (Base.metadata.tables[table.__tablename__] for table in (Task, Video, Project))
_NUMBERS: BindParameter[Any] = bindparam("numbers", expanding=True)
_TASKS = (
    select(
        *(_TASK.c[name] for name in ("id", "project_id", "video_ref", "query", "video_id")),
        *(_VIDEO.c[name] for name in ("sha256", "n_frames", "width", "height")),
    )
    .select_from(_TASK.outerjoin(_VIDEO, _VIDEO.c.id == _TASK.c.video_id))
    .where(_TASK.c.id.in_(_NUMBERS))
)
_INTERFACES = select(_PROJECT.c.id, _PROJECT.c.label_config).where(_PROJECT.c.id.in_(_NUMBERS))
_LOADED: dict[type[Any], Any] = {
    Task: select(Task).where(Task.id.in_(_NUMBERS)).options(joinedload(Task.project), joinedload(Task.video)),
    Prediction: select(Prediction).where(Prediction.id.in_(_NUMBERS)),
    Annotation: select(Annotation).where(Annotation.id.in_(_NUMBERS)),
}


@dataclass(frozen=True)
class Wanted:
    """What has to be known to read one annotation.

    Attributes:
        annotation: Label Studio's number.
        task_id: our row; None where the task is the one of the version before.
        regions: the ids under which its regions may have been suggested.
        parent: Label Studio's number of the prediction that it began from.
    """

    annotation: int
    task_id: int | None = None
    regions: tuple[str, ...] = ()
    parent: int | None = None


@dataclass(frozen=True)
class Basis:
    """Equal to another one as long as a reading would come out the same.

    Attributes:
        task: the row, its address, sentence and video, and what was probed of the video.
        interface: of the task's project.
        versions: of the annotation, in order of arrival, as ``backend.db.annotations.short`` gives them.
        delivered: the prediction that Label Studio knows by the parent's number.
        suggested: id of a region and the prediction that it came from, in the task's video.
    """

    task: tuple[Any, ...] | None = None
    interface: str = ""
    versions: tuple[versions.Short, ...] = ()
    delivered: int | None = None
    suggested: tuple[tuple[str, int], ...] = ()

    @property
    def task_ids(self) -> set[int]:
        """Our rows of the tasks that the annotation is or was about."""
        mine = {row.task_id for row in self.versions} | ({self.task[0]} if self.task else set())
        return {number for number in mine if number is not None}


@dataclass(frozen=True)
class Known:
    """The rows behind a basis, to be read only.

    Attributes:
        suggestions: in the task's video, by the ids of their regions.
        delivered: the prediction that Label Studio knows by the parent's number.
        versions: of the annotation, in order of arrival.
        predictions: those and the ones that the versions began from, by row.
        found: what a worker followed, by the wish's key.
    """

    basis: Basis
    task: Task | None = None
    suggestions: Mapping[str, Prediction] = field(default_factory=dict)
    delivered: Prediction | None = None
    versions: Sequence[Annotation] = ()
    predictions: Mapping[int, Prediction] = field(default_factory=dict)
    found: Mapping[str, Found] = field(default_factory=dict)


def region_names(result: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The ids under which these regions, and the boxes of these ranges, may have been suggested."""
    names = {suggested_as(region) for region in result if region.get("id")}
    return tuple(sorted(names | {name.removesuffix(_SPAN) for name in names}))


def bases(
    session: Session, wanted: Sequence[Wanted], said: Mapping[int, Sequence[versions.Short]] | None = None
) -> list[Basis]:
    """What is stored now, in the order of ``wanted``: a handful of short statements.

    Args:
        said: what ``backend.db.annotations.short`` gives of these annotations, where it was asked a moment ago.
    """
    if said is None:
        said = versions.short(session, {one.annotation for one in wanted})
    numbers = [_task_id(one, said[one.annotation]) for one in wanted]
    tasks = _tasks(session, {number for number in numbers if number is not None})
    interfaces = _interfaces(session, {row.project_id for row in tasks.values()})
    parents = {one.parent for one in wanted if one.parent is not None}
    delivered = deliveries.by_number(session, parents, {number for number in numbers if number is not None})
    videos = {row.video_id for row in tasks.values() if row.video_id is not None}
    suggested = predictions.numbers_by_region(session, videos, {name for one in wanted for name in one.regions})
    found = []
    for one, number in zip(wanted, numbers, strict=True):
        task = None if number is None else tasks.get(number)
        mine = {} if task is None else suggested.get(task.video_id, {})
        found.append(
            Basis(
                task=None if task is None else tuple(task),
                interface="" if task is None else interfaces[task.project_id],
                versions=tuple(said[one.annotation]),
                delivered=None if number is None or one.parent is None else delivered.get((number, one.parent)),
                suggested=tuple((name, mine[name]) for name in one.regions if name in mine),
            )
        )
    return found


def load(session: Session, wanted: Sequence[Wanted], found: Sequence[Basis]) -> list[Known]:
    """The rows behind these bases; they can be read when the session is closed."""
    tasks = _rows(session, Task, {basis.task[0] for basis in found if basis.task})
    numbers = {number for basis in found for _, number in basis.suggested}
    numbers |= {basis.delivered for basis in found if basis.delivered is not None}
    before = {row.id: one.annotation for one, basis in zip(wanted, found, strict=True) for row in basis.versions}
    numbers |= {row.prediction_id for basis in found for row in basis.versions if row.prediction_id is not None}
    suggestions = _rows(session, Prediction, numbers)
    rows: dict[int, list[Annotation]] = defaultdict(list)
    for row in sorted(_rows(session, Annotation, before).values(), key=lambda row: row.version):
        rows[row.ls_annotation_id].append(row)
    return [
        Known(
            basis=basis,
            task=tasks.get(basis.task[0]) if basis.task else None,
            suggestions={name: suggestions[number] for name, number in basis.suggested if number in suggestions},
            delivered=None if basis.delivered is None else suggestions.get(basis.delivered),
            versions=rows[one.annotation],
            predictions=suggestions,
        )
        for one, basis in zip(wanted, found, strict=True)
    ]


def found_for(session: Session, wishes: Collection[tuple[str, Wish]]) -> dict[tuple[str, str], Found]:
    """What a worker found, by the video's hash and the wish's key."""
    names = {follow_results.identity(sha256, wish.key): (sha256, wish.key) for sha256, wish in wishes}
    found = {}
    for part in chunks(sorted(names)):
        for row in follow_results.of(session, part):
            drawn = expand(keyframes(row.keyframes))
            found[names[row.identity]] = Found(drawn, (row.seen_first, row.seen_last))
    return found


def chunks(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """Parts that fit into one statement."""
    return (values[first : first + _MOST] for first in range(0, len(values), _MOST))


def _task_id(one: Wanted, said: Sequence[Any]) -> int | None:
    if one.task_id is not None or not said:
        return one.task_id
    number: int | None = said[-1].task_id
    return number


def _tasks(session: Session, numbers: Collection[int]) -> dict[int, Any]:
    parts = chunks(sorted(numbers))
    return {row.id: row for part in parts for row in session.execute(_TASKS, {"numbers": part})}


def _interfaces(session: Session, numbers: Collection[int]) -> dict[int, str]:
    return dict(session.execute(_INTERFACES, {"numbers": sorted(numbers)}).tuples().all()) if numbers else {}


def _rows(session: Session, table: type[Any], numbers: Collection[int]) -> dict[int, Any]:
    parts = chunks(sorted(numbers))
    return {row.id: row for part in parts for row in session.scalars(_LOADED[table], {"numbers": part})}
