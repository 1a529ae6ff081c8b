"""Deliveries: once each, also when Label Studio is away, loses its answer, or has the prediction already."""

from __future__ import annotations

import json
import threading

import httpx
import pytest
from sqlalchemy import select

from backend.db import deliveries, events, projects
from backend.db.tables import Annotation, Delivery
from backend.jobs import delivering
from backend.jobs.corrections import read_events
from backend.jobs.delivering import Outbox
from backend.jobs.renewing import renewing
from backend.labelstudio.config import read_config
from backend.labelstudio.payloads import TaskPayload, validate_prediction
from tests.db.helpers import CONFIG
from tests.jobs.conftest import Loop
from tests.jobs.test_corrections import _saved


def _delivery(loop: Loop) -> Delivery:
    with loop.database.read() as session:
        return session.scalars(select(Delivery)).one()


def _ready(loop: Loop, **data: object) -> None:
    loop.ask(loop.task(1, **data))  # type: ignore[arg-type]
    assert loop.worker.drain() == 1


def test_a_prediction_arrives_once(loop: Loop) -> None:
    _ready(loop)
    assert loop.outbox.send_due() == 1 and loop.outbox.send_due() == 0
    [stored] = loop.label_studio.of_task(1)
    validate_prediction({key: stored[key] for key in ("task", "result", "score", "model_version")}, read_config(CONFIG))
    row = _delivery(loop)
    assert row.state == "delivered" and row.ls_prediction_id == stored["id"] and row.delivered_at is not None


def test_it_still_waits_where_label_studio_is_away_for_weeks(loop: Loop) -> None:
    _ready(loop)
    with loop.database.write() as session:
        session.scalars(select(Delivery)).one().attempts = 5000
    loop.label_studio.away = True
    assert loop.outbox.send_due() == 0
    assert (_delivery(loop).state, _delivery(loop).attempts) == ("pending", 5001)


def test_a_reply_that_was_not_kept_is_pushed(loop: Loop) -> None:
    _ready(loop)
    assert loop.ask(loop.task(1)) != [[]]
    loop.make_due()
    assert loop.outbox.send_due() == 1 and len(loop.label_studio.of_task(1)) == 1


def test_an_older_model_versions_prediction_is_not_taken_for_this_one(loop: Loop) -> None:
    _ready(loop)
    loop.label_studio.predictions.append({"id": 5, "task": 1, "model_version": "older", "result": []})
    assert loop.outbox.send_due() == 1 and len(loop.label_studio.of_task(1)) == 2


def test_the_frame_rate_is_written_before_the_push(loop: Loop) -> None:
    loop.engine.fps = (30000, 1001)
    _ready(loop, fps=None, note="kept")
    assert loop.outbox.send_due() == 1
    assert loop.label_studio.tasks[1]["data"]["fps"] == 29.97003
    assert loop.label_studio.tasks[1]["data"]["note"] == "kept"
    writes = [line for line in loop.label_studio.requests if line.split()[0] != "GET"]
    assert writes == ["PATCH /api/tasks/1/", "POST /api/predictions/"]


def test_a_frame_rate_that_is_there_is_left_alone(loop: Loop) -> None:
    _ready(loop, fps=24)
    assert loop.outbox.send_due() == 1 and loop.label_studio.tasks[1]["data"]["fps"] == 24


def test_a_task_that_is_gone_or_asks_something_else_ends_with_a_reason(loop: Loop) -> None:
    _ready(loop)
    loop.label_studio.tasks[1]["data"]["query"] = "something else"
    assert loop.outbox.send_due() == 0
    assert _delivery(loop).state == "failed" and "another sentence" in str(_delivery(loop).reason)
    loop.label_studio.tasks.clear()
    _requeue(loop)
    assert loop.outbox.send_due() == 0 and _delivery(loop).state == "failed" and loop.label_studio.predictions == []


def _requeue(loop: Loop) -> None:
    from backend.db import jobs

    with loop.database.write() as session:
        assert jobs.retry(session, 1)


def test_one_claim_that_was_never_ended_runs_out(loop: Loop) -> None:
    _ready(loop)
    from backend.db import deliveries

    with loop.database.write() as session:
        assert deliveries.claim(session, "killed", seconds=600) is not None
    assert loop.outbox.send_due() == 0
    loop.make_due()
    assert loop.outbox.send_due() == 1 and len(loop.label_studio.of_task(1)) == 1


def test_an_interface_with_nested_names_is_answered_pushed_and_corrected(loop: Loop) -> None:
    names = {'"$video"': '"$media.url"', "$fps": "$media.fps", "$query": "$ask.text"}
    config_text = CONFIG
    for flat, nested in names.items():
        config_text = config_text.replace(flat, nested)
    config = read_config(config_text)
    with loop.database.write() as session:
        projects.register(session, 1, config_text)
    data = {"media": {"url": "/data/local-files/?d=a.mp4", "id": 5}, "ask": {"text": "the red box"}, "note": "n"}
    loop.label_studio.add_task(1, **data)
    asked = loop.answers.for_tasks(1, config, (TaskPayload(1, data),))
    assert asked == [[]] and loop.worker.drain() == 1 and loop.job().state == "done"
    assert loop.outbox.send_due() == 1
    written = loop.label_studio.tasks[1]["data"]
    assert written == {**data, "media": {**data["media"], "fps": 25.0}}

    box = loop.label_studio.of_task(1)[0]["result"][0]
    event = _saved(id=8, task=2, result=[box])
    event |= {"task": {"id": 2, "data": data}, "project": {"id": 1, "label_config": config_text}}
    with loop.database.write() as session:
        events.store(session, json.dumps(event).encode(), action="ANNOTATION_CREATED", project_id=1)
    assert read_events(loop.database) == 1
    with loop.database.read() as session:
        row = session.scalars(select(Annotation)).one()
        assert row.task is not None and row.task.query == "the red box"
        assert row.task.video_ref == "/data/local-files/?d=a.mp4" and row.tubes


def test_a_row_whose_sender_died_is_soon_free_and_one_that_is_sent_stays_held(
    each_loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim is short, and renewed while the row is sent, however long Label Studio takes."""
    loop = each_loop
    _ready(loop)
    # A claim that a machine that stands still does not lose, renewed after 20 ms all the same.
    monkeypatch.setattr("backend.jobs.renewing._TIMES", 30_000)
    sender = Outbox(loop.database, loop.client, name="slow", claim_s=600)
    predictions = loop.label_studio._predictions

    def slow(request: httpx.Request) -> httpx.Response:
        first = _delivery(loop).lease_until
        while _delivery(loop).lease_until == first:
            assert loop.outbox.send_due() == 0, "nobody else has it"
        return predictions(request)

    loop.label_studio._predictions = slow  # type: ignore[method-assign]
    assert sender.send_due() == 1 and len(loop.label_studio.of_task(1)) == 1
    assert delivering.CLAIM_S <= 30


def test_the_claim_of_a_push_that_hangs_is_let_go(loop: Loop) -> None:
    _ready(loop)
    with loop.database.write() as session:
        row = deliveries.claim(session, "o", seconds=60)
    assert row is not None and row.leased_by is not None
    with renewing(loop.database, Delivery, row.id, row.leased_by, seconds=0.03, most_s=0.0):
        while any(thread.name == f"renew-Delivery-{row.id}" for thread in threading.enumerate()):
            pass
    assert _delivery(loop).lease_until == row.lease_until
