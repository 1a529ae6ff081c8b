"""``stvg connect --from``: the tasks of a local project go into one of Label Studio's, each once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from backend.db import jobs, projects, task_state, tasks
from backend.db.engine import Database
from backend.db.local_tasks import KEY, LocalTasks, Wanted
from backend.db.tables import Delivery, Job, Review, Task, TaskState
from backend.jobs.identity import job_identity
from backend.labelstudio.config import read_config
from backend.labelstudio.transport import LabelStudioError
from backend.runs.publishing import Published, Refused, publish, published_address
from tests.db.helpers import CONFIG, a_prediction

VERSION = "m"


@dataclass
class Studio:
    """The tasks of one project. ``cut``: so many imports from now arrive while their answers are lost."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    cut: int = -1
    imports: list[int] = field(default_factory=list)

    def tasks(self, project_id: int, *, fields: str = "all") -> Iterator[dict[str, Any]]:
        yield from list(self.rows)

    def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        self.imports.append(len(tasks))
        self.rows += [{"id": 70 + len(self.rows) + n, "data": dict(task["data"])} for n, task in enumerate(tasks)]
        self.cut -= 1
        if self.cut == 0:
            raise LabelStudioError("the answer was lost", None)
        return {"task_count": len(tasks)}


def local(database: Database, count: int, *, answered: int = 0) -> int:
    """A local project with tasks on storage addresses, some of them answered; its number."""
    with database.write() as session:
        number = projects.local(session, "Clips", CONFIG).id
        wanted = [
            Wanted(
                f"az://box/{n}.mp4", "the red box", {"video": f"az://box/{n}.mp4", "query": "the red box"}, f"line {n}"
            )
            for n in range(count)
        ]
        found, _ = LocalTasks(number).add(session, wanted)
        asked = [
            jobs.Question(
                job_identity(number, known.number, one.video_ref, one.query, VERSION), known.id, number, one.video_ref,
                one.query, VERSION,
            )
            for one, known in zip(wanted, found, strict=True)
        ]  # fmt: skip
        jobs.enqueue_many(session, asked)
    for n in range(answered):
        answer(database, n)
    return number


def answer(database: Database, n: int) -> None:
    with database.write() as session:
        job = jobs.lease(session, "w", seconds=60)
        assert job is not None and job.leased_by is not None
        prediction = a_prediction(session, identity=f"p{n}")
        assert jobs.finish(session, job.id, job.leased_by, prediction.id)
        session.get_one(Task, job.task_id).video_id = prediction.video_id


def put(database: Database, studio: Studio, number: int, *, chunk: int = 2) -> Published:
    with database.write() as session:
        projects.register(session, 12, CONFIG)
    return publish(database, studio, number, 12, read_config(CONFIG), chunk=chunk)


def test_tasks_suggestions_and_decisions_go_along(database: Database) -> None:
    number = local(database, 5, answered=2)
    with database.write() as session:
        suggested = select(TaskState).where(TaskState.state == "suggested").order_by(TaskState.task_id)
        first, second = session.scalars(suggested).all()
        session.add(
            Review(
                task_id=first.task_id, prediction_id=first.prediction_id, decision="accepted", reviewer="r", comment=""
            )
        )  # fmt: skip
        answered = [first.task_id, second.task_id]
        session.flush()
        task_state.refresh(session, answered)
    studio = Studio()
    found = put(database, studio, number)
    assert (found.imported, found.moved, found.suggestions, found.refused) == (5, 5, 2, [])
    assert studio.imports == [2, 2, 1]
    assert studio.rows[0]["data"]["video"] == "azure-blob://box/0.mp4"
    # Where the video was never read, the push writes the rate.
    assert [row["data"].get("fps") for row in studio.rows] == [
        25.0 if int(row["data"][KEY].rpartition("-")[2]) in answered else None for row in studio.rows
    ]
    with database.read() as session:
        rows = session.scalars(select(Task).order_by(Task.id)).all()
        assert [(task.project_id, task.ls_task_id, task.video_ref) for task in rows] == [
            (12, 70 + n, f"azure-blob://box/{n}.mp4") for n in range(5)
        ]
        assert {state.project_id for state in session.scalars(select(TaskState))} == {12}
        states = {state.task_id: state.state for state in session.scalars(select(TaskState))}
        assert states == dict.fromkeys(states, "waiting") | {answered[0]: "accepted", answered[1]: "suggested"}
        owed = {(row.task_id, row.kind) for row in session.scalars(select(Delivery))}
        assert owed == {(number, "prediction") for number in answered}
        for job in session.scalars(select(Job)):
            task = session.get_one(Task, job.task_id)
            assert job.identity == job_identity(12, task.ls_task_id, task.video_ref, task.query, VERSION)
            assert job.video_ref == task.video_ref
    answer(database, 2)  # what was queued before is answered as Label Studio's
    again = put(database, studio, number)
    assert (again.imported, again.moved) == (0, 0) and len(studio.rows) == 5


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_an_import_whose_answer_was_lost_is_gone_on_with(sqlite_database: Database, cut: int) -> None:
    number, studio = local(sqlite_database, 5), Studio(cut=cut)
    with pytest.raises(LabelStudioError):
        put(sqlite_database, studio, number)
    found = put(sqlite_database, studio, number)
    assert found.moved == 5 and found.imported == 5 - min(5, 2 * cut)
    assert len(studio.rows) == 5 == len({row["data"][KEY] for row in studio.rows})


def test_a_local_project_that_grows_after_it_was_connected(sqlite_database: Database) -> None:
    number, studio = local(sqlite_database, 2), Studio()
    put(sqlite_database, studio, number)
    with sqlite_database.write() as session:
        wanted = [
            Wanted(f"az://box/{n}.mp4", "the red box", {}, "n", elsewhere=f"azure-blob://box/{n}.mp4") for n in (1, 2)
        ]
        found, new = LocalTasks(number).add(session, wanted)
        assert new == 1 and [known.published for known in found] == [True, False]
        assert found[0].number == 71 and found[1].number == 1, "numbers may come again, keys may not"
    put(sqlite_database, studio, number)
    assert [row["data"]["video"] for row in studio.rows] == [f"azure-blob://box/{n}.mp4" for n in range(3)]
    assert len({row["data"][KEY] for row in studio.rows}) == 3


def test_tasks_that_leave_while_a_source_is_read(sqlite_database: Database) -> None:
    number, studio = local(sqlite_database, 2), Studio()
    reading = LocalTasks(number)
    one = Wanted("az://box/0.mp4", "the red box", {}, "line 0")
    with sqlite_database.write() as session:
        assert reading.add(session, [one])[1] == 0
    put(sqlite_database, studio, number)
    with sqlite_database.write() as session:
        found, new = reading.add(session, [one])
        assert new == 0 and found[0].published
        assert len(session.scalars(select(Task)).all()) == 2


def test_a_task_that_is_another_one_by_now_stays(sqlite_database: Database) -> None:
    number, studio = local(sqlite_database, 3), Studio(cut=1)
    with pytest.raises(LabelStudioError):
        put(sqlite_database, studio, number)
    studio.rows[0]["data"]["query"] = "something else"
    with sqlite_database.write() as session:  # Label Studio asked about it before the run went on
        tasks.remember(
            session, project_id=12, ls_task_id=71, video_ref="azure-blob://box/1.mp4", query="the red box",
            data=studio.rows[1]["data"],
        )  # fmt: skip
    found = put(sqlite_database, studio, number)
    assert found.moved == 1 and len(found.refused) == 2
    assert "another sentence" in found.refused[0] and "asked about it" in found.refused[1]
    assert len(studio.rows) == 3


def test_addresses_as_label_studio_takes_them(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "a b").mkdir(parents=True)
    inside, outside = root / "a b" / "c.mp4", tmp_path / "d.mp4"
    for path in (inside, outside):
        path.write_bytes(b"x")
    assert published_address(inside.as_uri(), root) == "/data/local-files/?d=a%20b/c.mp4"
    assert published_address("az://b/k", None) == published_address("abfs://b/k", None) == "azure-blob://b/k"
    assert published_address("gcs://b/k", None) == "gs://b/k"
    for address in ("s3://b/k", "https://h/k?x=1", "/data/upload/1/k.mp4"):
        assert published_address(address, None) == address
    for address, document_root in ((outside.as_uri(), root), (inside.as_uri(), None)):
        with pytest.raises(Refused, match="document root"):
            published_address(address, document_root)
