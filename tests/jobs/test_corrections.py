"""What people did becomes annotation versions, whatever order the events come in and whoever reads them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from backend.db import annotations as versions
from backend.db import events, projects
from backend.db.tables import Annotation, Diff, Event, Prediction, Task
from backend.jobs import corrections, submissions
from backend.jobs.corrections import read_events
from backend.jobs.payload import keyframes
from backend.jobs.reconcile import reconcile
from backend.labelstudio.transport import LabelStudioError
from stvg_core.keyframes import expand
from tests.db.helpers import CONFIG
from tests.jobs.conftest import Loop


def _box(region: str = "R1", x: float = 10.0, *, last: int = 21) -> dict[str, Any]:
    def keyframe(frame: int, left: float, enabled: bool) -> dict[str, Any]:
        place = {"x": left, "y": 20, "width": 15, "height": 30, "rotation": 0}
        return {"frame": frame, "enabled": enabled, "time": frame / 25, **place}

    value = {"framesCount": 50, "duration": 2, "labels": ["Target"]}
    value["sequence"] = [keyframe(6, x, True), keyframe(last, x + 30, False)]  # type: ignore[assignment]
    return {"id": region, "from_name": "box", "to_name": "video", "type": "videorectangle", "value": value}


def _verdict(choice: str) -> dict[str, Any]:
    value = {"choices": [choice]}
    return {"id": "v", "from_name": "verdict", "to_name": "video", "type": "choices", "value": value}


def _annotation(
    number: int = 8, *, minute: int = 0, result: list[dict[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "id": number,
        "task": 1,
        "project": 1,
        "result": [_box()] if result is None else result,
        "was_cancelled": False,
        "lead_time": 9.3,
        "completed_by": 4,
        "parent_prediction": None,
        "created_at": "2026-11-22T11:00:00.000000Z",
        "updated_at": f"2026-11-22T11:{minute:02}:00.000000Z",
        **more,
    }


def _saved(action: str = "ANNOTATION_CREATED", **annotation: Any) -> dict[str, Any]:
    return {
        "action": action,
        "annotation": _annotation(**annotation),
        "project": {"id": 1, "label_config": CONFIG},
        "task": {"id": 1, "data": {"video": "/data/local-files/?d=a.mp4", "query": "the red box", "fps": 25}},
    }


def _deleted(*numbers: int) -> dict[str, Any]:
    return {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": n} for n in numbers], "project": {"id": 1}}


def _send(loop: Loop, *bodies: Any, project_id: int | None = 1, state: str = "new") -> None:
    with loop.database.write() as session:
        for body in bodies:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            events.store(session, raw, action="X", project_id=project_id, state=state)


def _current(loop: Loop) -> list[Annotation]:
    with loop.database.read() as session:
        return versions.current(session)


def _states(loop: Loop) -> list[tuple[str, str | None]]:
    with loop.database.read() as session:
        return [(row.state, row.reason) for row in session.scalars(select(Event).order_by(Event.id))]


def _diffs(loop: Loop) -> list[Diff]:
    with loop.database.read() as session:
        return list(session.scalars(select(Diff).order_by(Diff.annotation_id)))


def test_a_task_first_heard_of_by_a_webhook_is_about_the_original(loop: Loop) -> None:
    body = _saved(result=[_box()])
    copy = "/data/local-files/?d=copies/a-h264-0123456789ab.mp4"
    body["task"]["data"] |= {"video": copy, "stvg_original": "/data/local-files/?d=a.avi"}
    _send(loop, body)
    read_events(loop.database)
    with loop.database.read() as session:
        [task] = session.scalars(select(Task))
        assert task.video_ref == "/data/local-files/?d=a.avi" and task.data["video"] == copy


def test_a_correction_keeps_its_tube_author_time_and_verdict(each_loop: Loop) -> None:
    loop = each_loop
    _send(loop, _saved(result=[_box(), _verdict("correct")]))
    assert read_events(loop.database) == 1 and read_events(loop.database) == 0
    [row] = _current(loop)
    assert (row.ls_annotation_id, row.version, row.author_id, row.lead_time_s, row.verdict) == (8, 1, 4, 9.3, "correct")
    [tube] = row.tubes
    assert tube["region_id"] == "R1" and tube["label"] == "Target" and tube["intervals"] == [[5, 20]]
    boxes = expand(keyframes(tube["keyframes"]))
    assert (boxes.start_frame, boxes.end_frame) == (5, 20)
    assert np.allclose(boxes.boxes[0], [0.10, 0.20, 0.25, 0.50], atol=1e-3)
    assert np.allclose(boxes.boxes[5], [0.20, 0.20, 0.35, 0.50], atol=5e-3), "linear between the keyframes"
    assert row.task is not None and row.task.ls_task_id == 1 and row.event_id is not None
    assert row.result[0]["id"] == "R1" and row.problem is None


def test_skips_and_deletions_are_versions_too(loop: Loop) -> None:
    _send(loop, _saved(number=8), _saved(number=9, result=[], was_cancelled=True), _deleted(8))
    read_events(loop.database)
    [row] = _current(loop)
    assert row.ls_annotation_id == 9 and row.was_cancelled and row.tubes == []
    with loop.database.read() as session:
        gone = versions.versions(session, 8)[-1]
        assert gone.deleted and gone.version == 2 and gone.task_id == row.task_id
    _send(loop, _saved("ANNOTATION_UPDATED", number=8, minute=5))
    read_events(loop.database)
    assert [row.ls_annotation_id for row in _current(loop)] == [9], "an update that comes late revives nothing"


def test_it_is_linked_to_the_prediction_it_came_from(loop: Loop) -> None:
    loop.ask(loop.task(1))
    loop.worker.drain()
    loop.outbox.send_due()
    number = loop.label_studio.of_task(1)[0]["id"]
    with loop.database.read() as session:
        prediction = session.scalars(select(Prediction)).one()
    _send(
        loop,
        _saved(number=1, parent_prediction=number),
        _saved(number=2, result=[_box(prediction.region_id)]),  # as after a /predict reply: no number is known
        _saved(number=3, result=[_box("drawn by hand")], parent_prediction=12345),
    )
    read_events(loop.database)
    assert [row.prediction_id for row in _current(loop)] == [prediction.id, prediction.id, None]
    assert [row.prediction_id for row in _diffs(loop)] == [prediction.id, prediction.id, None]
    assert [row.change for row in _diffs(loop)] == ["ends and boxes moved"] * 2 + ["drawn from nothing"]


def test_several_regions_keep_their_labels_and_an_open_tail_ends_with_the_video(loop: Loop) -> None:
    open_tail = _box("R2")
    open_tail["value"]["sequence"][1]["enabled"] = True
    _send(loop, _saved(result=[_box("R1"), open_tail]))
    read_events(loop.database)
    [row] = _current(loop)
    assert [tube["intervals"] for tube in row.tubes] == [[[5, 20]], [[5, 49]]]


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"action": "START_TRAINING", "project": {"id": 1}}, "ignored"),
        ({"action": "TASKS_CREATED", "project": {"id": 1}, "tasks": [{"id": 6, "data": {}}]}, "ignored"),
        ({"action": "ANNOTATION_CREATED", "project": {"id": 1}, "annotation": {"id": "x"}}, "failed"),
        (b"[1]", "failed"),
        (b"\xff", "failed"),
    ],
)
def test_other_events_end_with_a_state(loop: Loop, body: Any, state: str) -> None:
    _send(loop, body, _saved())
    read_events(loop.database)
    assert _states(loop)[0][0] == state and _states(loop)[1][0] == "done" and len(_current(loop)) == 1
    assert (_states(loop)[0][1] is not None) == (state == "failed")


def test_start_training_asks_for_a_calibration(loop: Loop) -> None:
    asked: list[int | None] = []
    _send(loop, {"action": "START_TRAINING", "project": {"id": 1}}, {"action": "START_TRAINING"})
    assert read_events(loop.database, lambda session, project_id: asked.append(project_id)) == 2
    assert asked == [1, None] and [state for state, _ in _states(loop)] == ["done", "done"]


def test_an_annotation_of_another_interface_is_kept_with_its_problem(loop: Loop) -> None:
    body = _saved()
    body["project"]["label_config"] = "<View/>"
    _send(loop, body)
    read_events(loop.database)
    [row] = _current(loop)
    assert row.tubes == [] and row.result and row.problem is not None and "VideoRectangle" in row.problem


def test_a_project_that_changes_its_interface_is_followed(loop: Loop) -> None:
    changed = CONFIG.replace('value="Target"', 'value="Person"')
    _send(loop, {"action": "PROJECT_UPDATED", "project": {"id": 1, "label_config": changed}})
    read_events(loop.database)
    with loop.database.read() as session:
        project = projects.find(session, 1)
        assert project is not None and project.label_config == changed


def test_a_crash_between_storing_and_reading_loses_nothing(each_loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = each_loop
    _send(loop, _saved())

    def crash(*args: Any, **more: Any) -> None:
        raise KeyboardInterrupt  # as good as a kill: the transaction is rolled back

    with monkeypatch.context() as patch:
        patch.setattr(corrections.events, "close_all", crash)
        with pytest.raises(KeyboardInterrupt):
            read_events(loop.database)
    assert _current(loop) == [] and _states(loop) == [("reading", None)] and _diffs(loop) == []
    assert read_events(loop.database) == 0, "another may still be reading it"
    loop.make_due()
    assert read_events(loop.database) == 1 and len(_current(loop)) == len(_diffs(loop)) == 1


def test_an_event_that_cannot_be_read_for_an_unknown_reason_ends_in_the_log(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*args: Any, **more: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(submissions, "read_version", defect)
    _send(loop, _saved())
    read_events(loop.database)
    [(state, reason)] = _states(loop)
    assert state == "failed" and str(reason).startswith("Internal error")


def test_several_readers_at_once_make_each_version_once(each_loop: Loop) -> None:
    loop = each_loop
    _send(loop, *[_saved("ANNOTATION_UPDATED", minute=minute) for minute in range(8)])
    together = Barrier(4)

    def read(_: int) -> None:
        together.wait()
        read_events(loop.database)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(read, range(4)))
    assert {state for state, _ in _states(loop)} == {"done"}
    with loop.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Annotation)) == 8 == len(_diffs(loop))


def test_polling_finds_what_no_webhook_told_and_repeats_nothing(loop: Loop) -> None:
    loop.task(1)
    _send(loop, _saved(number=8))
    read_events(loop.database)
    lost = _annotation(9, minute=3, result=[_box(x=5)])
    loop.label_studio.annotations = [_annotation(8), lost]
    assert reconcile(loop.database, loop.client) == 1 and reconcile(loop.database, loop.client) == 0
    assert [row.ls_annotation_id for row in _current(loop)] == [8, 9]
    assert _current(loop)[1].tubes[0]["intervals"] == [[5, 20]]
    loop.label_studio.annotations = [lost]
    assert reconcile(loop.database, loop.client) == 1
    assert [row.ls_annotation_id for row in _current(loop)] == [9]
    _send(loop, _saved(number=9, minute=3, result=[_box(x=5)]))  # the webhook was only late
    read_events(loop.database)
    assert [row.version for row in _current(loop)] == [1]


def test_a_project_that_is_gone_stops_no_other(loop: Loop) -> None:
    loop.task(1)
    loop.label_studio.annotations = [_annotation(8)]
    with loop.database.write() as session:
        projects.register(session, 0, CONFIG)
    loop.label_studio.gone_projects.add(0)
    assert reconcile(loop.database, loop.client) == 1
    loop.label_studio.away = True
    with pytest.raises(LabelStudioError):
        reconcile(loop.database, loop.client)
