"""How far apart are the people who annotated a task? Computed outside of any transaction, stored in ``task_state``.

What is stored names the versions that it was computed for: where others speak by now, it is not taken.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from backend.db import task_state
from backend.db.engine import Database
from backend.review import opinions, recording

logger = logging.getLogger(__name__)

_PAGE = 100


def of_task(said: Iterable[opinions.Said]) -> float | None:
    """1 - mean pairwise vIoU, None with fewer than two opinions.

    Args:
        said: the version that counts of each of the task's annotations, with its diff.
    """
    agreement = opinions.of_versions(said)
    return None if agreement is None else 1 - agreement.mean


def record_due(database: Database) -> int:
    """Compare the people of every task where that was not done for the present versions; returns how many were stored.

    About a millisecond for a pair of tubes. Versions that come meanwhile are compared too.
    """
    stored = 0
    while True:
        with database.read() as session:
            # Which versions speak is read first: versions that come after it make the answer void, never wrong.
            due = dict(task_state.compare_due(session, limit=_PAGE))
            found = _computed(session, list(due))
        if not due:
            return stored
        with database.write() as session:
            stored += task_state.compared(session, due, found)


def _computed(session: Session, numbers: Sequence[int]) -> dict[int, float | None]:
    """A page together; where that fails each alone: a task that cannot be compared must not keep the others from it."""
    if not numbers:
        return {}
    try:
        return _together(session, numbers)
    except SQLAlchemyError:
        raise  # the database is away
    except Exception as error:
        logger.info("%d tasks are compared one by one: %s", len(numbers), type(error).__name__)
    found: dict[int, float | None] = dict.fromkeys(numbers)
    for number in numbers:
        try:
            found |= _together(session, [number])
        except SQLAlchemyError:
            raise
        except Exception:
            logger.exception("task %d: its annotations cannot be compared", number)
    return found


def _together(session: Session, numbers: Sequence[int]) -> dict[int, float | None]:
    said: dict[int, list[opinions.Said]] = {number: [] for number in numbers}
    for row, change in recording.current(session, task_ids=numbers):
        assert row.task_id is not None
        said[row.task_id].append((row, change))
    return {number: of_task(mine) for number, mine in said.items()}
