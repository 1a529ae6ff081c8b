"""Accept many tasks at once: which could be, and which of those that somebody ticked still are what was shown?

Two kinds: suggestions that nobody annotated, and labels that an annotator saved just as they were suggested. What is
accepted is a list of versions, not a filter: a task that changed while the list was on the screen is left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from backend.db import reviews, task_state
from backend.db.reviews import ACCEPTED
from backend.db.tables import Review, Task
from backend.db.task_state import SUGGESTED, TO_REVIEW
from backend.review import decisions, queue
from backend.review.queue import QueueFilter, QueuePage, QueueRow

KINDS = {TO_REVIEW: "saved by an annotator just as suggested", SUGGESTED: "suggested, not annotated by anybody"}
"""States from which tasks are accepted together, and what that means there."""

PAGE = 100
"""Tasks on a page, and so at one press."""

TURN = 20
"""Decisions per transaction: while they are stored, nobody else writes."""

_VERSION = re.compile(r"([0-9]{1,10}):([0-9]{0,10}):([0-9]{0,10})", re.ASCII)
_LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Shown:
    """A task as it was on the screen: our row, the version that stood for it (None: nobody's), its suggestion."""

    task_id: int
    annotation_id: int | None
    prediction_id: int | None


@dataclass(frozen=True)
class LeftOut:
    """A task that was not accepted, and why. ``ls_task_id``, ``query``: as the queue names it, where it is there."""

    task_id: int
    reason: str
    ls_task_id: int | None = None
    query: str = ""


def look(session: Session, chosen: QueueFilter) -> QueuePage:
    """The tasks that can be accepted together under a filter whose state is one of ``KINDS``, least uncertain first."""
    return queue.look(session, narrowed(chosen), size=PAGE)


def narrowed(chosen: QueueFilter) -> QueueFilter:
    """The filter with what goes without saying here."""
    return replace(chosen, as_is=chosen.state == TO_REVIEW, sort="uncertainty", descending=False)


def doubtful(row: QueueRow) -> bool:
    """Should a person look at the task itself first? How its label was read is not clear, or several people spoke."""
    return bool(row.marks) or row.comparing or row.disagreement is not None


def to_text(row: QueueRow) -> str:
    """A row's versions, for a form."""
    return f"{row.task_id}:{row.annotation_id or ''}:{row.prediction_id or ''}"


def from_text(text: str) -> Shown | None:
    """None for anything that :func:`to_text` does not write."""
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    task, annotation, prediction = (int(part) if part else None for part in match.groups())
    if task is None or max(task, annotation or 0, prediction or 0) > _LARGEST:
        return None
    return Shown(task, annotation, prediction)


def turns(shown: Sequence[Shown]) -> list[Sequence[Shown]]:
    """Each task once, in one order (two that accept at the same time wait for each other, not in a circle)."""
    once = {one.task_id: one for one in reversed(shown)}
    ordered = [once[number] for number in sorted(once)]
    return [ordered[first : first + TURN] for first in range(0, len(ordered), TURN)]


def accept(
    session: Session, shown: Sequence[Shown], *, reviewer: str, account_id: int | None
) -> tuple[list[Review], list[LeftOut]]:
    """Accept those that are still what was shown and that nobody decided about; to be called with one turn."""
    accepted: list[Review] = []
    left_out: list[LeftOut] = []
    for one in shown:
        task = reviews.lock_task(session, one.task_id)
        reason = "there is no such task" if task is None else _obstacle(session, one)
        if reason is not None:
            left_out.append(_left_out(one, task, reason))
            continue
        said = {"reviewer": reviewer, "account_id": account_id, "seen": one.annotation_id}
        accepted.append(decisions.decide(session, one.task_id, ACCEPTED, **said))  # type: ignore[arg-type]
    return accepted, left_out


def _left_out(one: Shown, task: Task | None, reason: str) -> LeftOut:
    return LeftOut(one.task_id, reason, *(() if task is None else (task.ls_task_id, task.query)))


def _obstacle(session: Session, one: Shown) -> str | None:
    """Why the task is not accepted, None where it can be. The task is locked."""
    state, standing = task_state.of_task(session, one.task_id), decisions.standing(session, one.task_id)
    if state is None:
        return "where it stands is not known"
    if (state.annotation_id, state.prediction_id) != (one.annotation_id, one.prediction_id):
        return "it changed since the list was shown"
    if standing is not None:
        return f"already {standing.decision} by {standing.reviewer}"
    if state.state not in KINDS:
        return f'it is "{state.state}" now'
    return None
