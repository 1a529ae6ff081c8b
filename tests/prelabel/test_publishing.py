"""``stvg connect --from``: the tasks of a local project go into one of Label Studio's, each once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from backend.db import jobs, projects, task_state, tasks
from backend.db.engine import Database
from backend.db.local_keys import KEY, parse_key
from backend.db.local_tasks import LocalTasks, Wanted
from backend.db.tables import Chore, Delivery, Job, Review, Task, TaskState
from backend.db.types import now
from backend.jobs.identity import job_identity
from backend.labelstudio.transport import LabelStudioError
from backend.runs.publishing import Published, Refused, publish, published_address
from backend.runs.turn import Turn, TurnError
from tests.db.helpers import CONFIG, a_prediction

VERSION = "m"
OTHER = (
    '<View><Header value="$sentence"/><Text name="t" value="$title"/><Video name="v" value="$clip.url"/>'
    '<VideoRectangle name="b" toName="v"/></View>'
)


@dataclass
class Studio:
    """The tasks of one project. ``cut``: so many imports from now arrive while their answers are lost."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    cut: int = -1
    imports: list[int] = field(default_factory=list)

    def tasks(self, project_id: int, *, fields: str = "all", after: int = 0) -> Iterator[dict[str, Any]]:
        yield from [row for row in self.rows if row["id"] > after]

    def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        self.imports.append(len(tasks))
        new = [{"id": 70 + len(self.rows) + n, "data": dict(task["data"])} for n, task in enumerate(tasks)]
        self.rows += new
        self.cut -= 1
        if self.cut == 0:
            raise LabelStudioError("the answer was lost", None)
        return {"task_count": len(tasks), "task_ids": [row["id"] for row in new]}


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


def long_after(database: Database) -> None:
    """As if whoever holds a turn had not been heard of for long."""
    with database.write() as session:
        session.execute(update(Chore).values(lease_until=now() - timedelta(seconds=1)))


def put(database: Database, studio: Studio, number: int, *, chunk: int = 2) -> Published:
    with database.write() as session:
        projects.register(session, 12, CONFIG)
    turn = Turn(database, f"publish {number}", look_s=0.01)
    return publish(database, studio, number, 12, CONFIG, chunk=chunk, turn=turn)


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
    assert (found.imported, found.moved, found.suggestions, found.refused) == (5, 5, 2, {})
    assert studio.imports == [2, 2, 1]
    assert studio.rows[0]["data"]["video"] == "azure-blob://box/0.mp4"
    # Where the video was never read, the push writes the rate.
    assert [row["data"].get("fps") for row in studio.rows] == [
        25.0 if int(row["data"][KEY].split("-")[1]) in answered else None for row in studio.rows
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


def test_a_decision_that_label_studio_shows_is_owed_to_it(database: Database) -> None:
    number = local(database, 3, answered=2)
    with database.write() as session:
        suggested = select(TaskState).where(TaskState.state == "suggested").order_by(TaskState.task_id)
        for state, decision in zip(session.scalars(suggested).all(), ("accepted", "rejected"), strict=True):
            about = {"task_id": state.task_id, "prediction_id": state.prediction_id}
            session.add(Review(**about, decision=decision, reviewer="r", comment="", reason="wrong object"))
            session.flush()
            task_state.refresh(session, [state.task_id])
            row = state.task_id
    put(database, Studio(), number)
    with database.read() as session:
        told = session.scalars(select(Delivery).where(Delivery.kind == "decision")).all()
        assert [(one.task_id, one.state) for one in told] == [(row, "pending")]


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_an_import_whose_answer_was_lost_is_gone_on_with(sqlite_database: Database, cut: int) -> None:
    number, studio = local(sqlite_database, 5), Studio(cut=cut)
    with pytest.raises(LabelStudioError):
        put(sqlite_database, studio, number)
    long_after(sqlite_database)
    found = put(sqlite_database, studio, number)
    assert found.imported == 5 - min(5, 2 * cut)
    with sqlite_database.read() as session:
        assert {task.project_id for task in session.scalars(select(Task))} == {12}
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
    long_after(sqlite_database)
    studio.rows[0]["data"]["query"] = "something else"
    studio.rows[1]["data"]["video"] = "azure-blob://box/other.mp4"
    with sqlite_database.write() as session:  # a task that is deleted there had the number before
        tasks.remember(
            session, project_id=12, ls_task_id=72, video_ref="azure-blob://box/1.mp4", query="x", data={}
        )  # fmt: skip
    found = put(sqlite_database, studio, number)
    assert found.moved == 0
    said = [
        "another sentence in Label Studio (task 70)", "another video in Label Studio (task 71)", "task 72 is known here"
    ]  # fmt: skip
    assert all(words in why for words, why in zip(said, found.refused.values(), strict=True)), found.refused
    assert len(studio.rows) == 3


@pytest.mark.parametrize("moved_before", [False, True])
def test_label_studio_tells_of_a_task_before_the_run_went_on(database: Database, moved_before: bool) -> None:
    number, studio = local(database, 3, answered=1), Studio(cut=-1 if moved_before else 1)
    if not moved_before:
        with pytest.raises(LabelStudioError):
            put(database, studio, number)
        long_after(database)
    else:
        put(database, studio, number)
    for row in studio.rows:
        with database.write() as session:
            found = tasks.remember(
                session, project_id=12, ls_task_id=row["id"], video_ref=row["data"]["video"],
                query=row["data"]["query"], data=row["data"],
            )  # fmt: skip
            assert found.name is not None, "it is the local task, with its jobs"
            asked = session.scalars(select(Job).where(Job.task_id == found.id)).one()
            identity = job_identity(12, row["id"], row["data"]["video"], "the red box", VERSION)
            assert asked.identity == identity and asked.video_ref == row["data"]["video"]
    again = put(database, studio, number)
    assert not again.refused and len(studio.rows) == 3
    with database.read() as session:
        assert [task.project_id for task in session.scalars(select(Task))] == [12, 12, 12]
        assert {state.project_id for state in session.scalars(select(TaskState))} == {12}
        owed = session.scalars(select(Delivery)).all()
        assert len(owed) == 1 and owed[0].kind == "prediction"


def test_a_key_that_somebody_made_up_moves_nothing(sqlite_database: Database) -> None:
    local(sqlite_database, 1)
    with sqlite_database.write() as session:
        projects.register(session, 12, CONFIG)
        row = session.scalars(select(Task)).one().id
        data = {"video": "az://box/0.mp4", "query": "the red box", KEY: f"0123456789ab-{row}"}
        made = tasks.remember(
            session, project_id=12, ls_task_id=1, video_ref="az://box/0.mp4", query="the red box", data=data
        )
        assert made.id != row and session.get_one(Task, row).project_id < 0


def test_an_import_that_ends_after_its_run_was_killed(sqlite_database: Database) -> None:
    """Label Studio goes on with what it was sent. The next run waits for that, and sends nothing twice."""
    number, late = local(sqlite_database, 3), list[dict[str, Any]]()

    class Killed(BaseException):
        pass

    class Slow(Studio):
        def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
            if late:
                return super().import_tasks(project_id, tasks)
            late.extend(dict(task) for task in tasks)
            raise Killed

    studio, said = Slow(), list[str]()
    with pytest.raises(Killed):
        put(sqlite_database, studio, number, chunk=5)

    def tell(words: str) -> None:
        said.append(words)
        Studio.import_tasks(studio, 12, late)  # the first run's arrive now
        long_after(sqlite_database)

    turn = Turn(sqlite_database, f"publish {number}", tell=tell, look_s=0.01)
    found = publish(sqlite_database, studio, number, 12, CONFIG, turn=turn)
    assert len(said) == 1 and "cut off a moment ago" in said[0]
    assert (found.imported, found.moved, len(studio.rows), found.doubled) == (0, 3, 3, [])
    studio.rows.append({"id": 99, "data": dict(studio.rows[1]["data"])})
    assert put(sqlite_database, studio, number).doubled == [[71, 99]], "what is there twice all the same is said"


def test_two_runs_at_once_are_one_after_the_other(database: Database) -> None:
    number, studio = local(database, 6), Studio()
    both = threading.Barrier(2)

    def run() -> Published:
        both.wait()
        return put(database, studio, number)

    with ThreadPoolExecutor(2) as pool:
        found = [one.result() for one in [pool.submit(run), pool.submit(run)]]
    assert sorted(one.imported for one in found) == [0, 6] == sorted(one.moved for one in found)
    assert len(studio.rows) == 6


class Enough(Exception):
    """Waited long enough."""


def test_who_waits_for_its_turn_writes_nothing_and_looks_less_and_less_often(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = Turn(sqlite_database, "publish 1", seconds=60)
    pauses: list[float] = []
    writes: list[object] = []
    with holder.taken():

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 12:
                raise Enough

        monkeypatch.setattr("backend.runs.turn.time.sleep", pause)
        monkeypatch.setattr(sqlite_database, "write", lambda: writes.append(1))
        with pytest.raises(Enough), Turn(sqlite_database, "publish 1", seconds=60).taken():
            raise AssertionError
        monkeypatch.undo()
    assert writes == [] and pauses == sorted(pauses) and pauses[0] == 0.2 and pauses[-1] == 3.0


def test_a_run_that_stood_still_for_too_long_ends(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    number, studio = local(sqlite_database, 2), Studio()
    turn = Turn(sqlite_database, f"publish {number}", seconds=60)
    with pytest.raises(TurnError), turn.taken():
        with sqlite_database.write() as session:  # as when its lease ran out and another took over
            session.scalars(select(Chore)).one().leased_by = "another"
        turn.check()
    assert studio.rows == []


def test_what_the_project_asks_already_is_not_asked_a_second_time(sqlite_database: Database) -> None:
    number, studio = local(sqlite_database, 3), Studio()
    studio.rows.append({"id": 5, "data": {"video": "azure-blob://box/1.mp4", "query": "The red  box"}})
    with sqlite_database.write() as session:  # the same object of the storage, in another way of writing
        one = Wanted("abfs://box/0.mp4", "the red box", {}, "again")
        LocalTasks(number).add(session, [one])
    found = put(sqlite_database, studio, number)
    assert (found.imported, len(studio.rows)) == (2, 3)
    said = list(found.refused.values())
    assert "(line 1): the project there has this video with this sentence already, as task 5" in said[0]
    assert "(again): the project there has this video with this sentence already, as task" in said[1]


def test_an_interface_with_other_names(sqlite_database: Database) -> None:
    number, studio = local(sqlite_database, 2), Studio()
    with sqlite_database.write() as session:
        first, second = session.scalars(select(Task).order_by(Task.id))
        first.data = {**first.data, "title": "one", "split": "x"}
        projects.register(session, 12, OTHER)
    found = publish(sqlite_database, studio, number, 12, OTHER)
    [row] = studio.rows
    key = row["data"].pop(KEY)
    assert parse_key(key) is not None
    assert row["data"] == {
        "clip": {"url": "azure-blob://box/0.mp4"}, "sentence": "the red box", "title": "one", "split": "x"
    }  # fmt: skip
    assert (found.moved, list(found.refused)) == (1, [second.id])
    assert 'it has no "title"' in found.refused[second.id]


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
