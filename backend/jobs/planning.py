"""Which annotations are to be read of events, or of Label Studio's list, and which of our tasks are they about?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backend.db import tasks
from backend.db.engine import Database
from backend.jobs.storing import Plan
from backend.jobs.submissions import Deleted, Saved, digest_of, read_interface
from backend.labelstudio.events import Event


def planned(database: Database, about: Sequence[tuple[int | None, Event]]) -> list[Plan]:
    """What is to be read of events (their rows); tasks that were never heard of are remembered at once."""
    rows = _task_rows(database, [event for _, event in about])
    plans: list[Plan] = []
    for number, event in about:
        for one in event.annotations:
            task = rows.get((event.project_id, one.task_id))
            plans.append(Saved(one, task, event.label_config, digest_of(one), number))
        plans += [Deleted(gone, number) for gone in event.deleted_ids]
    return plans


def _task_rows(database: Database, about: Sequence[Event]) -> dict[tuple[int | None, int], int]:
    """Our rows of the tasks that events are about, by project and Label Studio's number."""
    wanted: dict[int, set[int]] = {}
    for event in about:
        if event.project_id is not None and event.annotations:
            wanted.setdefault(event.project_id, set()).update(one.task_id for one in event.annotations)
    found: dict[tuple[int | None, int], int] = {}
    if wanted:
        with database.read() as session:
            for project_id, numbers in wanted.items():
                rows = tasks.rows_of(session, project_id, numbers)
                found |= {(project_id, number): row for number, row in rows.items()}
    new: dict[int, dict[int, Event]] = {}
    for event in about:
        for number in _unknown(event, found):
            assert event.project_id is not None
            new.setdefault(event.project_id, {}).setdefault(number, event)
    for project_id, events in new.items():
        with database.write() as session:  # all at once: they are stored in the order of their numbers
            made = tasks.remember_many(session, project_id, [_given(one, number) for number, one in events.items()])
        found |= {(project_id, number): row.id for number, row in made.items()}
    return found


def _unknown(event: Event, found: Mapping[tuple[int | None, int], int]) -> list[int]:
    """Tasks of an event that are not known and can be."""
    if event.project_id is None or read_interface(event.label_config)[0] is None:
        return []
    numbers = sorted({one.task_id for one in event.annotations} & event.task_data.keys())
    return [number for number in numbers if (event.project_id, number) not in found]


def _given(event: Event, number: int) -> tasks.Given:
    """What a task says of itself in an event."""
    config, _ = read_interface(event.label_config)
    assert config is not None
    data = event.task_data[number]
    return tasks.Given(number, config.video_of(data), config.query_of(data), data)
