"""Tasks of Label Studio that are about a part of their video, and how near stored boxes are to what was found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from backend.annotations.keyframe_rows import keyframes
from backend.db import projects
from backend.db.engine import Database
from backend.db.identity import job_identity
from backend.db.local_tasks import LocalTasks, Wanted
from backend.db.tables import Job, Prediction, Task
from backend.jobs.engine import Progress
from backend.labelstudio.config import read_config
from backend.runs.publishing import publish
from backend.runs.turn import Turn
from stvg_core.errors import QueryError
from stvg_core.keyframes import expand
from stvg_core.tube import Tube
from tests.db.helpers import CONFIG
from tests.jobs.conftest import Loop
from tests.prelabel.test_publishing import Studio

PART: dict[str, Any] = {"kind": "declarative", "segment": [5, 20]}
OTHER: dict[str, Any] = {"kind": "declarative", "segment": [21, 40]}


def _jobs(loop: Loop) -> list[tuple[str, list[int] | None]]:
    with loop.database.read() as session:
        return [(job.state, job.segment) for job in session.scalars(select(Job).order_by(Job.id))]


def test_a_task_of_label_studio_is_answered_within_its_part(each_loop: Loop) -> None:
    loop = each_loop
    tasks = [loop.task(1, **PART), loop.task(2, **OTHER), loop.task(3), loop.task(4, **PART)]
    assert loop.ask(*tasks) == [[], [], [], []]
    while loop.worker.run_once():
        pass
    assert _jobs(loop) == [("done", [5, 20]), ("done", [21, 40]), ("done", None), ("done", [5, 20])]
    assert sorted(loop.engine.parts) == [(5, 20), (21, 40)], "two tasks about one part share its answer"
    loop.outbox.send_due()
    assert [len(loop.label_studio.of_task(number)) for number in (1, 2, 3, 4)] == [1, 1, 1, 1]
    starts = [loop.label_studio.of_task(n)[0]["result"][0]["value"]["sequence"][0]["frame"] for n in (1, 2)]
    assert starts == [6, 22], "in the frames of the whole video, which Label Studio counts from 1"
    loop.ask(*tasks)
    assert len(_jobs(loop)) == 4, "nothing is asked twice"


def test_sentences_of_one_part_share_the_opening_and_other_parts_do_not(loop: Loop) -> None:
    tasks = [loop.task(1, "one", **PART), loop.task(2, "two", **PART), loop.task(3, "three", **OTHER)]
    loop.ask(*tasks, loop.task(4, "four"))
    while loop.worker.run_once():
        pass
    assert loop.engine.shared == [2, 1, 1] and loop.engine.parts == [(5, 20), (5, 20), (21, 40)]


def test_an_annotators_sentence_is_about_the_tasks_part(loop: Loop) -> None:
    loop.answers.wait_s = 0.0
    loop.answers.for_question(1, read_config(CONFIG), loop.task(1, **PART), "the dog")
    while loop.worker.run_once():
        pass
    assert loop.engine.parts == [(5, 20)] and _jobs(loop) == [("done", [5, 20])]
    found = loop.answers.for_question(1, read_config(CONFIG), loop.task(1, **PART), "the dog")
    assert found["result"], "the answer is known by now"
    assert len(_jobs(loop)) == 1


def test_a_part_that_the_video_does_not_have_is_said(loop: Loop) -> None:
    said = "The segment is frames 5 to 20; the video has frames 0 to 9 (counted from 0)."

    def refuse(path: Path, query: str, progress: Progress, segment: Any = None) -> Any:
        assert segment == (5, 20)
        raise QueryError(said)

    loop.engine.ground = refuse  # type: ignore[method-assign]
    loop.ask(loop.task(1, **PART))
    loop.worker.run_once()
    assert loop.job().state == "failed" and loop.job().reason == said


@pytest.mark.parametrize("together", [False, True])
def test_the_worker_is_told_how_near_keyframes_must_be(loop: Loop, together: bool) -> None:
    rng = np.random.default_rng(1)
    corners = 0.2 + 0.01 * rng.random((40, 2))
    tube = Tube(3, np.concatenate([corners, corners + 0.4], axis=1))
    ground = loop.engine.ground

    def shaking(path: Path, query: str, progress: Progress, segment: Any = None) -> Any:
        return replace(ground(path, query, progress), tube=tube)

    loop.engine.ground = shaking  # type: ignore[method-assign]

    def error(number: int) -> float:
        with loop.database.read() as session:
            rows = session.scalars(select(Prediction.keyframes).order_by(Prediction.id)).all()[number]
        return float(np.abs(expand(keyframes(rows or [])).boxes - tube.boxes).max())

    more = [loop.task(2, "another", video="b.mp4")] if together else []
    loop.ask(loop.task(1, "one", video="b.mp4"), *more)
    loop.worker.run_once()
    assert error(0) > 1e-3
    loop.worker.min_iou = 1.0
    loop.ask(loop.task(3, "two"), *([loop.task(4, "three")] if together else []))
    loop.worker.run_once()
    assert error(-1) < 1e-5


def test_tasks_about_two_parts_are_published_as_two(database: Database) -> None:
    with database.write() as session:
        number = projects.local(session, "Clips", CONFIG).id
        data = {"video": "az://box/1.mp4", "query": "the red box"}
        wanted = [Wanted("az://box/1.mp4", "the red box", data | part, "n") for part in (PART, OTHER)]
        found, new = LocalTasks(number).add(session, wanted)
        assert new == 2 and found[0] != found[1]
        assert LocalTasks(number).add(session, wanted) == (found, 0)
        projects.register(session, 12, CONFIG)
        for known, segment in zip(found, ((5, 20), (21, 40)), strict=True):
            said = number, known.number, "az://box/1.mp4", "the red box", "m@1/2"
            session.add(
                Job(
                    identity=job_identity(*said, segment=segment), task_id=known.id, video_ref=said[2], query=said[3],
                    model_version=said[4], segment=list(segment),
                )
            )  # fmt: skip
    turn = Turn(database, f"publish {number}", seconds=600, look_s=0.01)
    result = publish(database, Studio(), number, 12, CONFIG, chunk=2, turn=turn)
    assert (result.imported, result.moved, result.refused) == (2, 2, {})
    with database.read() as session:
        for job in session.scalars(select(Job)):
            task = session.get_one(Task, job.task_id)
            assert task.project_id == 12 and job.segment == task.data["segment"]
            said = 12, task.ls_task_id, task.video_ref, task.query, job.model_version
            assert job.identity == job_identity(*said, segment=tuple(job.segment))  # type: ignore[arg-type]
