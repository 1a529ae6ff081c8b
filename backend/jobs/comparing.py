"""How far apart are the people who annotated a task? Computed once for the versions that speak about it, and stored."""

from __future__ import annotations

import logging

from sqlalchemy.exc import InterfaceError, OperationalError

from backend.db import task_state
from backend.db.engine import Database
from backend.review import opinions

logger = logging.getLogger(__name__)

_PAGE = 100


def compare_labels(database: Database) -> int:
    """Compare what is due; returns for how many tasks. The tubes are read and compared outside of any writing.

    The disagreement is 1 - mean pairwise vIoU; null where fewer than two opinions can be read.
    """
    compared = 0
    while True:
        with database.read() as session:
            due = dict(task_state.compare_due(session, limit=_PAGE))
        if not due:
            return compared
        found = _disagreements(database, list(due))
        with database.write() as session:
            for task_id, said in sorted(due.items()):
                compared += task_state.compared(session, task_id, said, found.get(task_id))


def _disagreements(database: Database, task_ids: list[int]) -> dict[int, float]:
    try:
        with database.read() as session:
            agreed = opinions.of_tasks(session, task_ids=task_ids)
            return {entry.task.id: 1 - entry.agreement.mean for entry in agreed}
    except (OperationalError, InterfaceError):
        raise  # the database is away
    except Exception:
        if len(task_ids) == 1:  # it counts as not comparable, and stops no other
            logger.exception("the labels of task %d (our row) cannot be compared", task_ids[0])
            return {}
        return {number: value for one in task_ids for number, value in _disagreements(database, [one]).items()}
