"""The different values of a column, found by jumping."""

from __future__ import annotations

from backend.db.choices import values_of
from backend.db.engine import Database
from backend.db.tables import TaskState
from tests.db.helpers import a_task


def test_every_value_once_in_order(database: Database) -> None:
    with database.write() as session:
        assert values_of(session, TaskState.model_version) == []
        for number, version in enumerate(("b", None, "a", "b", "", "é"), 1):
            session.get_one(TaskState, a_task(session, number).id).model_version = version
        session.flush()
        assert values_of(session, TaskState.model_version) == ["", "a", "b", "é"]
        assert values_of(session, TaskState.project_id) == [1]
