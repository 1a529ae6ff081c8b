"""The other questions: tasks, predictions, deliveries, events, annotation versions."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, select, update

from backend.db import annotations as versions
from backend.db import deliveries, events, projects, tasks
from backend.db.engine import Database
from backend.db.tables import Annotation, Delivery, Event, Prediction, Task
from backend.db.types import now
from tests.db.helpers import a_prediction, a_task


def test_a_changed_address_forgets_the_video(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        task.video_id = a_prediction(session).video_id
    with database.write() as session:
        again = a_task(session)
        assert again.id == task.id and again.video_id is not None
        moved = tasks.remember(
            session, project_id=1, ls_task_id=11, video_ref="/new.mp4", query="q\x00", data={"a": "\x00"}
        )
        assert moved.id == task.id and moved.video_id is None
    with database.read() as session:
        stored = session.get_one(Task, task.id)
        assert stored.query == "q" and stored.data == {"a": ""}


def test_moments_keep_their_time_zone(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
    with database.read() as session:
        made = session.get_one(Task, task.id).created_at
    assert made.tzinfo is not None and abs((datetime.now(UTC) - made).total_seconds()) < 60


def test_predictions_of_one_identity_share_a_row_and_hold_no_nan(database: Database) -> None:
    with database.write() as session:
        first, second = a_prediction(session), a_prediction(session)
        assert first.id == second.id
    with database.read() as session:
        stored = session.scalars(select(Prediction)).one()
        assert stored.evidence_info == {"p_yes": None, "words": "ab"} and stored.evidence == b"evidence"


def test_a_prediction_is_handed_out_to_one_of_many_callers(database: Database) -> None:
    with database.write() as session:
        task, prediction = a_task(session), a_prediction(session)
    together = Barrier(6)

    def ask(_: int) -> bool:
        together.wait()
        with database.write() as session:
            return deliveries.hand_out(session, prediction.id, task.id, window_s=120)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(ask, range(6))).count(True) == 1
    with database.write() as session:
        assert session.scalar(select(func.count()).select_from(Delivery)) == 1
        assert deliveries.claim(session, "s", seconds=60) is None  # not before it is clear whether the reply arrived
        long_ago = now() - timedelta(seconds=200)
        session.execute(update(Delivery).values(handed_at=long_ago, run_after=long_ago))
        assert deliveries.hand_out(session, prediction.id, task.id, window_s=120)  # it was asked for again


def test_what_is_being_pushed_is_not_handed_out(database: Database) -> None:
    with database.write() as session:
        task, prediction = a_task(session), a_prediction(session)
        deliveries.owe(session, prediction.id, task.id)
        claimed = deliveries.claim(session, "s", seconds=60)
        assert claimed is not None and deliveries.claim(session, "other", seconds=60) is None
        assert not deliveries.hand_out(session, prediction.id, task.id, window_s=120)
        assert not deliveries.delivered(session, claimed.id, "somebody else", 5)
        assert deliveries.delivered(session, claimed.id, claimed.leased_by or "", 5)
        assert not deliveries.hand_out(session, prediction.id, task.id, window_s=120)


def test_an_event_is_stored_once_byte_for_byte(database: Database) -> None:
    body = b'{"action": "X", "note": "\\u0000"}'
    with database.write() as session:
        assert events.store(session, body, action="X", project_id=1)
        assert not events.store(session, body, action="X", project_id=1)
        assert events.store(session, body + b" ", action="X", project_id=1)
    with database.read() as session:
        assert session.scalars(select(Event).order_by(Event.id)).first().body == body  # type: ignore[union-attr]


def test_events_of_an_unknown_project_wait_for_it(database: Database) -> None:
    with database.write() as session:
        events.store(session, b"1", action="X", project_id=7, state="unknown_project")
        events.store(session, b"2", action="X", project_id=8, state="unknown_project")
        assert not events.ready(session, limit=9)
        projects.register(session, 7, "<View/>")
        assert events.counts(session)["new"] == 1 and events.counts(session)["unknown_project"] == 1


def _version(minute: int, **values: Any) -> dict[str, Any]:
    return {"ls_annotation_id": 5, "ls_updated_at": datetime(2026, 1, 1, 12, minute, tzinfo=UTC), **values}


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 2, 0]])
def test_the_version_saved_last_counts_in_whatever_order_they_came(database: Database, order: list[int]) -> None:
    with database.write() as session:
        task = a_task(session)
        for minute in order:
            assert versions.add_version(
                session, digest=str(minute), **_version(minute, task_id=task.id, verdict=str(minute))
            )
        assert not versions.add_version(session, digest="1", **_version(1))
        assert [row.version for row in versions.versions(session, 5)] == [1, 2, 3]
        assert [row.verdict for row in versions.current(session, project_id=1)] == ["2"]
        assert versions.current(session, project_id=2) == []


def test_a_deletion_is_final_and_keeps_what_was(database: Database) -> None:
    with database.write() as session:
        versions.add_version(session, digest="gone", ls_annotation_id=5, deleted=True)
        versions.add_version(session, digest="late", **_version(9))
        assert versions.current(session) == []
        assert session.scalar(select(func.count()).select_from(Annotation)) == 2
