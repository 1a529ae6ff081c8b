"""``stvg prelabel`` with a fake engine in this process: what is stored, said, summed up, and done again."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from backend.cli import evaluate
from backend.cli import prelabel as module
from backend.cli.prelabel_engines import Engine
from backend.cli.prelabel_request import name_of
from backend.cli.project_option import in_label_studio
from backend.db import deliveries, projects, runs
from backend.db.tables import Delivery, Job, Prediction, Project, Task, TaskState
from backend.media.file_address import file_path
from backend.runs.watch import Watch
from backend.settings import load_settings
from labeling_config import video_tube
from stvg_core.errors import StvgError
from tests.labelstudio.fake_label_studio import FakeLabelStudio
from tests.prelabel.conftest import TABLE, Command, Here
from tests.prelabel.given import written


def test_one_command_from_nothing_to_suggestions(command: Command) -> None:
    lines = command(command.folder / "videos.csv")
    assert "made a new database" in lines[0]["said"]
    assert [line["event"] for line in lines if line["event"] != "progress"] == [
        "note", "reading", "queued", "summary",
    ]  # fmt: skip
    last = lines[-1]
    assert (last["items"], last["new"], last["done"], last["failed"], last["waiting"]) == (3, 3, 3, 0, 0)
    assert not last["interrupted"] and last["left_out"] == {} and last["done_now"] == 3
    database = command.database()
    with database.read() as session:
        [project] = session.scalars(select(Project)).all()
        assert (project.id, project.title, project.local) == (-1, "videos", True)
        tasks = session.scalars(select(Task).order_by(Task.ls_task_id)).all()
        assert [(task.ls_task_id, task.query, task.name) for task in tasks] == [
            (1, "the man", "line 2"), (2, "the dog", "line 3"), (3, "the man", "line 4"),
        ]  # fmt: skip
        assert tasks[0].video_ref == (command.folder / "a.mp4").as_uri()
        assert tasks[0].data == {"video": tasks[0].video_ref, "query": "the man", "split": "train"}
        assert tasks[0].video_id == tasks[1].video_id != tasks[2].video_id
        assert {state.state for state in session.scalars(select(TaskState))} == {"suggested"}
        assert session.scalars(select(Delivery)).all() == [], "no Label Studio has to be told of it"
        assert len({job.video_key for job in session.scalars(select(Job))}) == 2
    database.close()


def test_a_second_run_does_what_is_new(command: Command) -> None:
    table = command.folder / "videos.csv"
    command(table)
    asked = len(command.engine.calls)
    again = command.summary(table)
    assert (again["items"], again["new"], again["done"], again["done_now"]) == (3, 0, 3, 0)
    table.write_text(TABLE.replace("train", "val") + "b.mp4,the dog,test\n")
    grown = command.summary(table)
    assert (grown["items"], grown["new"], grown["done"]) == (4, 1, 4)
    assert len(command.engine.calls) == asked + 1
    database = command.database()
    with database.read() as session:
        tasks = session.scalars(select(Task).order_by(Task.ls_task_id)).all()
        assert [(task.ls_task_id, task.data["split"]) for task in tasks] == [
            (1, "val"), (2, "val"), (3, "test"), (4, "test"),
        ], "changed columns are brought up to date"  # fmt: skip
    database.close()


def test_what_fails_is_grouped_and_stays_until_it_is_tried_again(command: Command) -> None:
    rows = "".join(f"bad.mp4,thing {number}\n" for number in range(3))
    table = written(command.folder / "some.csv", TABLE + rows.replace("\n", ",\n") + "a.mp4,crash now,\ngone.mp4,x,\n")
    first = command.summary(table, status=3)
    assert (first["done"], first["failed"], first["items"]) == (3, 4, 7)
    kinds = {kind: one["number"] for kind, one in first["failures"].items()}
    assert kinds == {"... is not a video.": 3, "Internal error. The worker's log has the details under job N.": 1}
    assert "bad.mp4 is not a video" in first["failures"]["... is not a video."]["example"]
    assert first["left_out"]["there is no such video"]["number"] == 1
    assert (Path(first["file"]).parent / "left-out.jsonl").read_text().count("gone.mp4") == 1

    calls = len(command.engine.calls)
    assert command.summary(table, status=3)["failed"] == 4 and len(command.engine.calls) == calls
    (command.folder / "bad.mp4").write_bytes(b"a video by now")
    mended = command.summary(table, "--retry-failed", status=3)
    assert (mended["tried_again"], mended["done"], mended["failed"]) == (4, 6, 1), "success wins over failure"
    assert set(mended["failures"]) == {"Internal error. The worker's log has the details under job N."}


REPLACED = "the video is another file than the one that was answered about"


@pytest.mark.parametrize("same_size", [False, True])
def test_a_video_that_was_replaced_is_asked_about_again(command: Command, same_size: bool) -> None:
    table, video = command.folder / "videos.csv", command.folder / "a.mp4"
    command(table)
    assert command.summary(table)["replaced"] == 0
    before = video.read_bytes()
    video.write_bytes(before[::-1] if same_size else before + b"more")
    lines = command(table)
    assert (lines[-1]["replaced"], lines[-1]["done"], lines[-1]["waiting"]) == (2, 3, 0)
    assert len([one for one in lines if REPLACED in one.get("said", "")]) == 1
    assert command.summary(table)["replaced"] == 0
    database = command.database()
    with database.read() as session:
        for task in session.scalars(select(Task)):
            job = session.scalars(select(Job).where(Job.task_id == task.id)).one()
            prediction = session.get_one(Prediction, job.prediction_id)
            content = file_path(task.video_ref).read_bytes()
            assert task.video is not None and task.video_id == prediction.video_id
            assert task.video.sha256 == hashlib.sha256(content).hexdigest()
    database.close()


def test_a_sentence_that_was_corrected_leaves_a_task_that_is_counted(command: Command) -> None:
    table = command.folder / "videos.csv"
    command(table)
    assert command.summary(table)["not_in_source"] == 0
    written(table, TABLE.replace("the dog", "the small dog"))
    again = command.summary(table)
    assert (again["items"], again["new"], again["done"], again["not_in_source"]) == (3, 1, 3, 1)


def test_a_suggestion_of_another_model_version_is_counted(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    table = command.folder / "videos.csv"
    command(table)
    database = command.database()
    with database.write() as session:  # as when another version was asked about one of them later
        state = session.scalars(select(TaskState).order_by(TaskState.task_id)).first()
        assert state is not None
        state.model_version = "another@1/2"
    again = command.summary(table)
    assert (again["done"], again["other_version"]) == (3, 1)
    database.close()


def test_a_limit_counts_new_sentences(command: Command) -> None:
    table = command.folder / "videos.csv"
    first = command.summary(table, "--limit", 2)
    assert (first["new"], first["beyond_limit"], first["done"]) == (2, 1, 2)
    second = command.summary(table, "--limit", 2)
    assert (second["new"], second["beyond_limit"], second["done"]) == (1, 0, 3)


def test_shares_are_disjoint_and_whole(command: Command) -> None:
    rows = "".join(f"{name},the {thing}\n" for name in ("a.mp4", "b.mp4", "bad.mp4") for thing in ("man", "dog"))
    table = written(command.folder / "some.csv", "video,query\n" + rows)
    found = [command.summary(table, "--shard", f"{number}/3", "--enqueue-only") for number in (1, 2, 3)]
    assert sum(one["items"] for one in found) == 6 and all(one["items"] + one["elsewhere"] == 6 for one in found)
    assert sum(one["new"] for one in found) == 6 and command.engine.calls == []
    assert found[2]["waiting"] == found[2]["items"], "a summary is of the share"


def test_truth_is_kept_and_not_asked(command: Command) -> None:
    record = {
        "caption": "the man", "width": 320, "height": 240, "img_num": 50, "st_frame": 3, "bbox": [[32, 24, 64, 48]] * 5,
    }  # fmt: skip
    content = {"a.mp4": record | {"English": "the man", "img_size": [240, 320], "st_time": 0.06, "ed_time": 0.16}}
    command.summary(written(command.folder / "anno.json", content), "--project", "HC")
    database = command.database()
    with database.read() as session:
        [task] = session.scalars(select(Task)).all()
        assert task.truth is not None
        assert task.truth["keyframes"][0] == [2, 0.1, 0.1, 0.3, 0.3] and len(task.truth["keyframes"]) == 5
        assert projects.number_of(session, "HC") == task.project_id
    database.close()
    scores = command.folder / "scores.json"
    result = CliRunner().invoke(evaluate.command, ["--project", "HC", "--json", str(scores)])
    assert result.exit_code == 0 and "m_vIoU" in result.output, result.output
    found = json.loads(scores.read_text())
    assert (found["sentences"], found["scored"], found["samples"][0]["true_frames"]) == (1, 1, [2, 6])


def test_an_old_database_is_left_alone(command: Command) -> None:
    from backend.db import schema

    database = command.database()
    schema.upgrade(database.engine, "0001")
    with pytest.raises(StvgError, match="stvg db upgrade"):
        raise command.result(command.folder / "videos.csv").exception or AssertionError
    assert schema.current_revision(database.engine) == "0001"
    database.close()


def test_names_of_projects(command: Command) -> None:
    assert name_of("/data/My clips/") == "My clips" and name_of("a/train_v2.json") == "train_v2"
    assert name_of("s3://bucket/sets/hc.csv") == "hc" and name_of("s3://bucket") == "bucket"
    assert name_of("https://host/a%20b.csv?x=1") == "a b"
    for title in ("12", "-3", " "):
        error = command.result(command.folder / "videos.csv", "--project", title).exception
        assert isinstance(error, StvgError) and "--project" in str(error)
    database = command.database()
    with database.write() as session:
        one, two = projects.local(session, "One", "<View/>"), projects.local(session, "Two", "<View/>")
        assert projects.local(session, "One", "<View/>").id == one.id != two.id
        with pytest.raises(StvgError, match='"One", "Two"'):
            projects.number_of(session, "Three")
        assert projects.number_of(session, "7") == 7 and projects.number_of(session, str(two.id)) == two.id
        assert projects.in_label_studio(session) == []
        for name, said in (("One", "is local"), ("7", "not known here")):
            with pytest.raises(StvgError, match=said):
                in_label_studio(session, name)
    database.close()


def test_a_local_task_owes_label_studio_nothing(command: Command) -> None:
    command(command.folder / "videos.csv")
    database = command.database()
    with database.write() as session:
        job = session.scalars(select(Job)).first()
        assert job is not None and job.prediction_id is not None
        deliveries.owe(session, job.prediction_id, job.task_id)
        deliveries.tell_decision(session, job.task_id, "rejected")
        assert deliveries.hand_out(session, job.prediction_id, job.task_id, window_s=1) is False
        assert session.scalars(select(Delivery)).all() == []
    database.close()


def test_a_run_that_is_stopped_stops_its_workers(command: Command) -> None:
    command(command.folder / "videos.csv", "--enqueue-only")
    database = command.database()
    stop, seen = threading.Event(), []
    workers = Here(command.settings, command.engine, -1)

    def show(standing: Any) -> None:
        seen.append(standing)
        stop.set()

    last = Watch(database, -1, command.engine.model_version, stop, show, look_s=0.0).until_done(workers)
    assert (last.open, len(seen), workers.stopped) == (3, 1, 1)
    stop.clear()
    told: list[str] = []
    watch = Watch(database, -1, command.engine.model_version, stop, tell=told.append, look_s=0.0)
    last = watch.until_done(Here(command.settings, command.engine, -1, said=("worker 1 was ended by signal 9",)))
    assert (last.done, last.open) == (3, 0) and told == ["worker 1 was ended by signal 9"]
    assert last.rate is None or last.rate > 0
    database.close()


def test_only_the_projects_own_jobs_are_taken(command: Command) -> None:
    command(command.folder / "videos.csv", "--enqueue-only")
    command(command.folder / "videos.csv", "--enqueue-only", "--project", "Other")
    Here(command.settings, command.engine, -2).ensure(progressed=False)
    database = command.database()
    with database.read() as session:
        assert runs.counts(session, -2, command.engine.model_version) == {"done": 3}
        assert runs.counts(session, -1, command.engine.model_version) == {"queued": 3}
        assert runs.unfinished(session, -1) and not runs.unfinished(session, -2)
    database.close()


def test_two_processes_add_each_task_once(command: Command) -> None:
    """What another process added since the last look is found before anything is numbered."""
    from backend.db.local_tasks import LocalTasks, Wanted

    command(command.folder / "videos.csv", "--enqueue-only")
    database = command.database()
    one, other = LocalTasks(-1), LocalTasks(-1)
    with database.write() as session:
        one.add(session, [Wanted("x", "q", {}, "n")])
    with database.write() as session:
        found, new = other.add(session, [Wanted("y", "q", {}, "n"), Wanted("x", "q", {}, "n")])
        assert new == 1 and [known.number for known in found] == [5, 4]
    with database.write() as session:
        found, new = one.add(session, [Wanted("y", "q", {}, "n"), Wanted("y", "q", {}, "n")])
        assert new == 0 and [known.number for known in found] == [5, 5]
    database.close()


def test_the_tasks_of_a_label_studio_project(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if Label Studio had asked: each task has its own answer, which is owed to it."""
    studio = FakeLabelStudio()
    number = int(studio.add("projects", title="Clips", label_config=video_tube())["id"])
    for video, query in (("a", "the  man"), ("a", "the man"), ("b", "the man"), ("b", "")):
        studio.add("tasks", project=number, data={"video": f"/data/local-files/?d={video}.mp4", "query": query})
    monkeypatch.setenv("STVG_DOCUMENT_ROOT", str(command.folder))
    command.settings = load_settings()
    monkeypatch.setattr(module, "require_label_studio", lambda settings: studio.client())
    monkeypatch.setattr(
        Engine, "workers", lambda self, database, number, *more: Here(command.settings, command.engine, number)
    )
    last = command.summary("project:Clips", status=3)
    assert (last["items"], last["done"], last["project_id"]) == (3, 3, number)
    assert command.summary("project:Clips", status=3)["new"] == 0
    assert command.result("project:Clips", "--project", "x").exit_code == 2
    database = command.database()
    with database.read() as session:
        tasks = session.scalars(select(Task).order_by(Task.ls_task_id)).all()
        assert [(task.project_id, task.ls_task_id, task.query) for task in tasks] == [
            (number, 1, "the  man"), (number, 2, "the man"), (number, 3, "the man"),
        ]  # fmt: skip
        assert {row.task_id for row in session.scalars(select(Delivery))} == {task.id for task in tasks}
    database.close()
