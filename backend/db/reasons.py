"""Why did work fail? Rows grouped by kind of reason: what differs in numbers, addresses and names of files is one kind.

A number that a server answered is kept: 404 and 503 are not mended alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.orm import Session

from backend.addresses import safe_name
from backend.db.tables import Delivery, Job, Task

_UNKNOWN = "No reason was noted."
_ADDRESS = r"\b[a-z][a-z0-9+.-]*://[^\s,;]+|(?<![\w.])/(?:[^\s/,;:]+/)+[^\s,;:]*"
_NAME = re.compile(rf"{_ADDRESS}|\S+\.\w{{2,4}}\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<!answered )\b\d+(?:[.,:]\d+)*")


@dataclass(frozen=True)
class Failure:
    """A reason as it was noted, how often, the row of the last time, and the address of that row's video."""

    reason: str | None
    count: int
    newest: int
    video_ref: str = ""


@dataclass(frozen=True)
class Reason:
    """What failed alike: ``newest`` is the row of the last one, ``text`` its reason, ``kind`` what they share."""

    text: str
    count: int
    newest: int
    task_id: int | None = None
    kind: str = ""


def kind_of(reason: str | None, video_ref: str = "") -> str:
    """The same for reasons that differ in numbers, addresses and names of files only.

    Args:
        video_ref: the address of the video that it is about: the name of its file may have spaces, or no ending.
    """
    text = reason or _UNKNOWN
    for own in sorted(_names(video_ref), key=len, reverse=True):
        text = re.sub(rf"(?<![\w.-]){re.escape(own)}(?![\w-])", "...", text)
    return " ".join(_NUMBER.sub("N", _NAME.sub("...", text)).split())


def _names(video_ref: str) -> set[str]:
    """How a video's address and its file may be called in a sentence; none that is a word like any other."""
    try:
        parts = urlsplit(video_ref)
        path = unquote(parts.path if not parts.query.startswith("d=") else parts.query[2:])
    except ValueError:
        path = video_ref
    last = path.rpartition("/")[2]
    names = {video_ref, path, last, safe_name(last), unquote(video_ref)}
    return {name for name in names if len(name) > 2 and not name.isalpha() and not name.isdecimal()}


def grouped(failures: Iterable[Failure]) -> dict[str, list[Failure]]:
    """By kind, in the order in which they come. One text is of one kind, whatever video it was noted for."""
    by_text: dict[str, list[Failure]] = {}
    for one in failures:
        by_text.setdefault(one.reason or _UNKNOWN, []).append(one)
    found: dict[str, list[Failure]] = {}
    for text, alike_ in by_text.items():
        newest = max(alike_, key=lambda one: one.newest)
        found.setdefault(kind_of(text, newest.video_ref), []).extend(alike_)
    return found


def by_reason(
    session: Session, table: Any, where: Sequence[ColumnElement[bool]], task: Any = None, *, most: int | None = None
) -> list[Reason]:
    """What failed of a table of work by kind of reason, the most frequent first; all kinds, or at most so many.

    Args:
        task: the table's column that says which task a row is about.
    """
    found = []
    for kind, failures in grouped(_failures(session, table, where)).items():
        newest = max(failures, key=lambda one: one.newest)
        count = sum(one.count for one in failures)
        found.append(Reason(newest.reason or _UNKNOWN, count, newest.newest, kind=kind))
    found = sorted(found, key=lambda one: (-one.count, -one.newest))[:most]
    if task is None:
        return found
    last = select(table.id, task).where(table.id.in_([one.newest for one in found]))
    tasks: dict[int, int | None] = dict(session.execute(last).tuples().all())
    return [Reason(one.text, one.count, one.newest, tasks.get(one.newest), one.kind) for one in found]


def alike(session: Session, where: Sequence[ColumnElement[bool]], job_id: int, *, most: int) -> tuple[list[int], bool]:
    """The failed jobs under these conditions that failed for the same kind of reason as this one.

    Returns:
        Their rows (at most ``most``, the oldest first), and whether there are more.
    """
    asked = session.execute(select(Job.reason).where(Job.id == job_id, Job.state == Job.FAILED)).one_or_none()
    if asked is None:
        return [], False
    wanted = {asked.reason or _UNKNOWN}
    for failures in grouped(_failures(session, Job, where)).values():
        texts = {one.reason or _UNKNOWN for one in failures}
        if not texts.isdisjoint(wanted):
            wanted = texts
            break
    else:
        return [], False
    found = []
    failed = select(Job.id, Job.reason).where(Job.state == Job.FAILED, *where).order_by(Job.id)
    for row in session.execute(failed.execution_options(yield_per=1000)):
        if (row.reason or _UNKNOWN) in wanted:
            found.append(row.id)
            if len(found) > most:
                break
    return found[:most], len(found) > most


def _failures(session: Session, table: Any, where: Sequence[ColumnElement[bool]]) -> Iterator[Failure]:
    """One for each text that was noted, with the video of the last row that has it."""
    query = select(table.reason, func.count().label("number"), func.max(table.id).label("newest"))
    texts = query.where(table.state == table.FAILED, *where).group_by(table.reason).subquery()
    columns: list[Any] = [texts.c.reason, texts.c.number, texts.c.newest]
    if table is Job:
        asked = select(*columns, Job.video_ref).join(Job, Job.id == texts.c.newest)
    elif table is Delivery:
        asked = select(*columns, Task.video_ref).join(Delivery, Delivery.id == texts.c.newest)
        asked = asked.join(Task, Task.id == Delivery.task_id)
    else:
        asked = select(*columns, literal(""))
    for row in session.execute(asked):
        yield Failure(row[0], row[1], row[2], row[3])
