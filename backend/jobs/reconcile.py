"""Was a webhook lost? Label Studio sends each once and waits a second, so its own list is read now and then.

Every pass reads the tasks that changed since the last one, by Label Studio's clock: saving, skipping and deleting an
annotation changes its task. Label Studio writes that after the annotation and apart from it: one that is killed in
between leaves a task that does not look changed. A task that was deleted is in no such list either. So where Label
Studio counts more or fewer annotations than there are here, all tasks are read, and once a day in any case
(:data:`WHOLE_S`). Of several workers one compares, the one that holds the row ``reconcile`` of ``chore``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from backend.db import annotations as versions
from backend.db import chores, projects
from backend.db.engine import Database
from backend.db.tables import Chore
from backend.jobs.planning import planned
from backend.jobs.storing import store
from backend.jobs.submissions import Deleted
from backend.labelstudio.events import Event, moment_of, parse_annotation
from backend.labelstudio.payloads import PayloadError
from backend.labelstudio.transport import LabelStudioError
from backend.labelstudio.values import storable

logger = logging.getLogger(__name__)

CHORE, WHOLE, COUNTED = "reconcile", "reconcile all", "reconcile counted"
WHOLE_S = 24 * 3600.0
"""So often everything is compared, not only what changed."""
COUNTED_PASSES = 12
"""In so many passes all tasks are read at most once because of a count: one may differ for good."""

MARGIN = timedelta(minutes=2)
"""A change is in the list once its transaction has ended; its time is from before that."""

LEASE_S = 300.0

Json = dict[str, Any]
Alive = Callable[[], None]
"""Called page by page; raises :class:`NotMine` where the comparison is another worker's by now."""


class LabelStudioTasks(Protocol):
    """The calls of Label Studio that a comparison needs."""

    def project(self, project_id: int) -> Json: ...
    def newest_task(self, project_id: int) -> Json | None: ...
    def task_pages(self, project_id: int, *, changed_since: datetime | None = None) -> Iterator[list[Json]]: ...
    def annotations(self, task_id: int) -> list[Json]: ...


class NotMine(Exception):
    """Another worker compares by now."""


@dataclass(frozen=True)
class Reconciled:
    """How many versions were saved there and missing here, and how many deletions."""

    saved: int = 0
    deleted: int = 0


def reconcile_due(database: Database, label_studio: LabelStudioTasks, *, name: str, seconds: float) -> int:
    """Compare, if no other worker does and the last comparison is ``seconds`` ago; how many versions were added.

    Raises:
        LabelStudioError: Label Studio is away.
    """
    with database.read() as session:
        if not chores.due(session, CHORE):
            return 0
    with database.write() as session:
        mine = chores.take(session, CHORE, name, seconds=LEASE_S)
        whole = chores.take(session, WHOLE, name, seconds=LEASE_S) if mine is not None else None
    if mine is None:
        return 0
    held = [one for one in (mine, whole) if one is not None]
    counted: list[Chore] = []

    def again() -> bool:
        if not counted:
            with database.write() as session:
                if (taken := chores.take(session, COUNTED, name, seconds=LEASE_S)) is None:
                    return False
            counted.append(taken)
        return True

    def alive() -> None:
        with database.write() as session:
            if not all(chores.renew(session, one, seconds=LEASE_S) for one in [*held, *counted]):
                raise NotMine

    ended = False
    try:
        added = reconcile(database, label_studio, everything=whole is not None, alive=alive, again=again)
        ended = True
        return added
    except NotMine:
        logger.warning("another worker compares with Label Studio by now")
        return 0
    finally:
        with database.write() as session:
            chores.rest(session, mine, seconds=seconds)
            if whole is not None:
                chores.rest(session, whole, seconds=WHOLE_S if ended else seconds)
            for one in counted:
                chores.rest(session, one, seconds=COUNTED_PASSES * seconds)


def reconcile(
    database: Database, label_studio: LabelStudioTasks, *, everything: bool = False, alive: Alive = lambda: None,
    again: Callable[[], bool] = lambda: True,
) -> int:  # fmt: skip
    """Add what is missing here; returns how many versions were added. A project that is gone stops no other.

    Args:
        everything: not only what changed since the last comparison.
        again: as of :func:`reconcile_project`.

    Raises:
        LabelStudioError: Label Studio is away.
    """
    with database.read() as session:
        known = projects.in_label_studio(session)
    added = 0
    for project_id in known:
        try:
            found = reconcile_project(
                database, label_studio, project_id, everything=everything, alive=alive, again=again
            )
        except LabelStudioError as error:
            if error.temporary:
                raise
            logger.info("project %d is not compared: %s", project_id, error)
            continue
        added += found.saved + found.deleted
    return added


def reconcile_project(
    database: Database, label_studio: LabelStudioTasks, project_id: int, *, everything: bool = True,
    alive: Alive = lambda: None, again: Callable[[], bool] = lambda: True,
) -> Reconciled:  # fmt: skip
    """The same for one project.

    Args:
        again: asked where the count of annotations differs after what changed was read: may all be read now?

    Raises:
        LabelStudioError: Label Studio is away, or the project is gone.
    """
    with database.read() as session:
        since = None if everything else projects.compared_until(session, project_id)
    project = label_studio.project(project_id)
    found = _compare(database, label_studio, project, since, alive)
    if since is not None and _count_differs(database, label_studio, project) and again():
        logger.warning(
            "project %d: Label Studio counts other annotations than are here; all tasks are read", project_id
        )
        more = _compare(database, label_studio, project, None, alive)
        found = Reconciled(found.saved + more.saved, found.deleted + more.deleted)
    return found


def _compare(
    database: Database, label_studio: LabelStudioTasks, project: Json, since: datetime | None, alive: Alive
) -> Reconciled:
    """One reading of the tasks that changed since a moment, or of all."""
    project_id, label_config = int(project["id"]), str(project.get("label_config") or "")
    newest = label_studio.newest_task(project_id)  # before the list is read: what is saved meanwhile is newer
    saved = deleted = last = 0
    for page in label_studio.task_pages(project_id, changed_since=since):
        alive()
        saved += _store(database, project_id, label_config, page)
        numbers = [int(task["id"]) for task in page]
        with database.read() as session:
            here = versions.of_tasks(session, project_id, numbers, above=None if since is not None else last)
        deleted += _store_gone(database, label_studio, here, page)
        last = numbers[-1]
    if since is None:
        with database.read() as session:
            here = versions.of_tasks(session, project_id, [], above=last)
        deleted += _store_gone(database, label_studio, here, [])
    if newest is not None and (at := moment_of(newest.get("updated_at"))) is not None:
        with database.write() as session:
            projects.note_compared(session, project_id, at - MARGIN)
    return Reconciled(saved, deleted)


def _count_differs(database: Database, label_studio: LabelStudioTasks, before: Json) -> bool:
    """Has Label Studio more or fewer annotations than count here? Not known while some are saved."""
    there = _count(before)
    if there is None or there != _count(label_studio.project(int(before["id"]))):
        return False
    with database.read() as session:
        return versions.counted(session, int(before["id"])) != there


def _count(project: Json) -> int | None:
    """The annotations of a project, skips included; None where Label Studio does not count them."""
    total, skipped = project.get("total_annotations_number"), project.get("skipped_annotations_number")
    return total + skipped if isinstance(total, int) and isinstance(skipped, int) else None


def _store(database: Database, project_id: int, label_config: str, page: Sequence[Json]) -> int:
    """The annotations of a page of tasks."""
    about: list[tuple[int | None, Event]] = []
    for task in page:
        entries = [entry for entry in task.get("annotations") or [] if isinstance(entry, dict)]
        number, found = int(task["id"]), []
        for entry in entries:
            try:
                found.append(parse_annotation(entry, task_id=number))
            except PayloadError as error:
                logger.warning("task %d has an annotation that cannot be read: %s", number, error)
        if found:
            data = _data(task, number)
            about.append((None, Event("POLLED", project_id, number, found, [], data, label_config)))
    return store(database, planned(database, about)) if about else 0


def _data(task: Json, number: int) -> dict[int, Json]:
    try:
        return {number: storable(task.get("data") or {})}
    except PayloadError as error:
        logger.warning("the data of task %d cannot be kept: %s", number, error)
        return {}


def _store_gone(
    database: Database, label_studio: LabelStudioTasks, here: Sequence[tuple[int, int]], page: Sequence[Json]
) -> int:
    """Deletions: what counts here (annotation and task) and is not in the list."""
    listed = {entry.get("id") for task in page for entry in task.get("annotations") or [] if isinstance(entry, dict)}
    missing = [(number, task) for number, task in here if number not in listed]
    gone = [number for number, task in missing if _is_gone(label_studio, number, task)]
    return store(database, [Deleted(number) for number in gone]) if gone else 0


def _is_gone(label_studio: LabelStudioTasks, annotation_id: int, task_id: int) -> bool:
    """Asked once more for the one task: a list read page by page can miss what moved, and a deletion is final."""
    try:
        return all(entry.get("id") != annotation_id for entry in label_studio.annotations(task_id))
    except LabelStudioError as error:
        if error.status == 404:
            return True
        raise
