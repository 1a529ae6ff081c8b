"""How far apart are the people who annotated a task? Kept in memory, by database and the versions compared."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from backend.db.standing import counting, counting_of
from backend.review import opinions

_KEPT = 50_000
_PAGE = 200

_Key = tuple[int, ...]
_Known = OrderedDict[_Key, float | None]
_by_database: WeakKeyDictionary[Engine, _Known] = WeakKeyDictionary()
_lock = Lock()


def disagreements(session: Session, task_ids: Sequence[int]) -> dict[int, float]:
    """1 - mean pairwise vIoU by task (our rows); a task without two opinions is left out.

    Only what was not compared before is computed: about a millisecond for a pair of tubes.
    """
    keys = _keys(session, task_ids)
    with _lock:
        known = _by_database.setdefault(session.get_bind().engine, OrderedDict())
        found = {number: known[key] for number, key in keys.items() if key in known}
    missing = [number for number in keys if number not in found]
    for first in range(0, len(missing), _PAGE):
        page = missing[first : first + _PAGE]
        agreed = opinions.of_tasks(session, task_ids=page)
        fresh: dict[int, float | None] = dict.fromkeys(page)
        fresh |= {entry.task.id: 1 - entry.agreement.mean for entry in agreed}
        found |= fresh
        with _lock:
            known.update({keys[number]: value for number, value in fresh.items()})
            while len(known) > _KEPT:
                known.popitem(last=False)
    return {number: value for number, value in found.items() if value is not None}


def _keys(session: Session, task_ids: Sequence[int]) -> dict[int, _Key]:
    """Which versions speak about each task: the same rows say the same. Of many tasks, all are read at once."""
    rows = (counting_of(task_ids) if len(task_ids) <= _PAGE else counting()).c
    keys: dict[int, list[int]] = {number: [] for number in task_ids}
    for task_id, annotation_id in session.execute(select(rows.task_id, rows.annotation_id)):
        if task_id in keys:
            keys[task_id].append(annotation_id)
    return {task_id: tuple(sorted(numbers)) for task_id, numbers in keys.items()}
