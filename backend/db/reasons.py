"""Why did work fail? Rows grouped by reason; what differs in numbers, addresses and names of files is one reason.

A number that a server answered is kept: 404 and 503 are not mended alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from backend.db.tables import Job

_UNKNOWN = "No reason was noted."
_DIFFERS = re.compile(r"https?://\S+|\S+\.\w{2,4}\b|(?<!answered )\b\d+(?:[.,:]\d+)*")


@dataclass(frozen=True)
class Reason:
    """What failed alike: ``newest`` is the row of the last one, ``text`` its reason."""

    text: str
    count: int
    newest: int
    task_id: int | None = None


def kind_of(reason: str | None) -> str:
    """The same for reasons that differ in numbers, addresses and names of files only."""
    return _DIFFERS.sub("…", reason or _UNKNOWN)


def by_reason(
    session: Session, table: Any, where: Sequence[ColumnElement[bool]], task: Any = None, *, most: int | None = None
) -> list[Reason]:
    """What failed of a table of work by reason, the most frequent first; all reasons, or at most so many.

    Args:
        task: the table's column that says which task a row is about.
    """
    query = select(table.reason, func.count(), func.max(table.id)).where(table.state == table.FAILED, *where)
    groups: dict[str, Reason] = {}
    for text, count, newest in session.execute(query.group_by(table.reason)):
        kind = kind_of(text)
        before = groups.get(kind, Reason("", 0, 0))
        latest = (text or _UNKNOWN, newest) if newest > before.newest else (before.text, before.newest)
        groups[kind] = Reason(latest[0], before.count + count, latest[1])
    found = sorted(groups.values(), key=lambda one: (-one.count, -one.newest))[:most]
    if task is None:
        return found
    last = select(table.id, task).where(table.id.in_([one.newest for one in found]))
    tasks: dict[int, int | None] = dict(session.execute(last).tuples().all())
    return [Reason(one.text, one.count, one.newest, tasks.get(one.newest)) for one in found]


def alike(session: Session, where: Sequence[ColumnElement[bool]], job_id: int, *, most: int) -> tuple[list[int], bool]:
    """The failed jobs under these conditions that failed for the same reason as this one.

    Returns:
        Their rows (at most ``most``, the oldest first), and whether there are more.
    """
    asked = session.execute(select(Job.reason).where(Job.id == job_id, Job.state == Job.FAILED)).one_or_none()
    if asked is None:
        return [], False
    kind, found = kind_of(asked.reason), []
    failed = select(Job.id, Job.reason).where(Job.state == Job.FAILED, *where).order_by(Job.id)
    for row in session.execute(failed.execution_options(yield_per=1000)):
        if kind_of(row.reason) == kind:
            found.append(row.id)
            if len(found) > most:
                break
    return found[:most], len(found) > most
