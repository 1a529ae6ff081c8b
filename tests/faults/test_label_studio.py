"""A Label Studio that is away while predictions are pushed, and projects with another interface."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from backend.db import jobs, projects
from backend.db.engine import Database
from backend.db.tables import Delivery, Task
from backend.jobs import delivering
from backend.labelstudio.config import LabelConfigError, read_config
from tests.db.helpers import CONFIG
from tests.faults.fault import fault
from tests.faults.without import no
from tests.jobs.conftest import Loop, make_loop
from tests.labelstudio.bodies import RENAMED_CONFIG

FAULTS = (31, 32)


@pytest.fixture
def loop(sqlite_database: Database, tmp_path: Path) -> Loop:
    """With a prediction that is ready to be pushed."""
    loop = make_loop(sqlite_database, tmp_path)
    loop.ask(loop.task(1))
    assert loop.worker.drain() == 1
    return loop


def delivery(loop: Loop) -> Delivery:
    with loop.database.read() as session:
        return session.scalars(select(Delivery)).one()


def given_up(database: Database, row: Delivery, reason: str) -> None:
    """One try, and no other."""
    delivering._fail(database, row, reason)


ANSWERS = {
    "starting": (httpx.Response(502, html="<h1>502 Bad Gateway</h1>"), "502"),
    "overloaded": (httpx.Response(503), "503"),
    "slow behind a proxy": (httpx.Response(504), "504"),
    "busy": (httpx.Response(429), "429"),
    "without our token": (httpx.Response(401, json={"detail": "Invalid token."}), "token"),
    "without our right": (httpx.Response(403, json={"detail": "You do not have permission."}), "permission"),
    "moved": (httpx.Response(301, headers={"Location": "https://ls/api/predictions/"}), "redirects to https://ls"),
    "a log-in page": (httpx.Response(200, html="<title>Sign in</title>"), 'a page ("Sign in")'),
    "an empty answer": (httpx.Response(200), "an empty answer"),
    "another server's 404": (httpx.Response(404, html="<title>404</title>"), "something in front of it"),
}


@pytest.mark.parametrize("kind", [*ANSWERS, "away"])
@fault(31, guard="backend.jobs.delivering._wait", without=given_up)
def test_what_cannot_be_pushed_now_is_kept_and_arrives_once(loop: Loop, kind: str) -> None:
    instead, said = ANSWERS.get(kind, (None, "cannot be reached"))
    loop.label_studio.instead, loop.label_studio.away = instead, instead is None
    for attempt in (1, 2, 3):
        assert loop.outbox.send_due() == 0
        row = delivery(loop)
        assert (row.state, row.attempts) == ("pending", attempt) and said in str(row.reason)
        loop.make_due()
    loop.label_studio.instead, loop.label_studio.away = None, False
    assert loop.outbox.send_due() == 1 and loop.outbox.send_due() == 0
    assert len(loop.label_studio.of_task(1)) == 1 and delivery(loop).state == "delivered"


@fault(31, guard="backend.jobs.delivering.is_same", without=no)
def test_a_push_whose_answer_was_lost_is_recognised(loop: Loop) -> None:
    """Label Studio went down after it had stored the prediction, before it said so."""
    loop.label_studio.lose_answers = 1
    assert loop.outbox.send_due() == 0 and len(loop.label_studio.of_task(1)) == 1
    loop.make_due()
    assert loop.outbox.send_due() == 1 and len(loop.label_studio.of_task(1)) == 1
    assert delivery(loop).ls_prediction_id == loop.label_studio.of_task(1)[0]["id"]


@fault(31, guard="backend.jobs.delivering.is_same", without=no)
def test_what_label_studio_kept_of_a_reply_is_not_pushed_again(loop: Loop) -> None:
    [[body]] = loop.ask(loop.task(1))
    assert loop.outbox.send_due() == 0, "it is not known yet whether the reply was kept"
    loop.label_studio.predictions.append({"id": 77, "task": 1, **body})
    loop.make_due()
    assert loop.outbox.send_due() == 1 and len(loop.label_studio.of_task(1)) == 1
    assert delivery(loop).ls_prediction_id == 77


DEFAULT = read_config(CONFIG)


@fault(32, guard="backend.jobs.delivering.read_config", without=lambda xml: DEFAULT)
def test_a_prediction_uses_the_names_of_its_project(sqlite_database: Database, tmp_path: Path) -> None:
    loop = make_loop(sqlite_database, tmp_path)
    config = read_config(RENAMED_CONFIG)
    with sqlite_database.write() as session:
        projects.register(session, 1, RENAMED_CONFIG)
    task = loop.task(1, movie="/data/local-files/?d=a.mp4", sentence="the red box", rate=25)
    assert loop.answers.for_tasks(1, config, [task]) == [[]]
    assert loop.worker.drain() == 1 and loop.job().query == "the red box"
    loop.label_studio.label_config = RENAMED_CONFIG
    loop.outbox.send_due()
    [stored] = loop.label_studio.of_task(1)
    assert [(region["from_name"], region["to_name"]) for region in stored["result"]] == [
        ("who", "clip"),
        ("moment", "clip"),
    ]
    assert stored["result"][0]["value"]["labels"] == ["Person"]


VIDEO, BOX = '<Video name="video" value="$video" frameRate="$fps"/>', '<VideoRectangle name="box" toName="video"/>'
INCOMPLETE = {
    "no VideoRectangle": (f"<View>{VIDEO}</View>", "<VideoRectangle "),
    "no Video": (f"<View>{BOX}</View>", "<Video "),
    "boxes on another video": (f'<View>{VIDEO}<VideoRectangle name="box" toName="other"/></View>', "<VideoRec"),
    "a video that no task names": (f'<View><Video name="video" value="a.mp4"/>{BOX}</View>', "<Video "),
    "text only": ("<View><Text name='t' value='$query'/></View>", "<VideoRectangle "),
    "no XML": ("<View>", "not readable XML"),
    "entities": ('<!DOCTYPE v [<!ENTITY a "aaaa">]><View><Header value="&a;"/></View>', "not readable XML"),
}


@pytest.mark.parametrize("kind", INCOMPLETE)
@fault(32, guard="backend.jobs.delivering.read_config", without=lambda xml: DEFAULT)
def test_an_interface_without_a_place_for_a_tube_says_what_is_missing(loop: Loop, kind: str) -> None:
    xml, missing = INCOMPLETE[kind]
    with pytest.raises(LabelConfigError, match=missing):
        read_config(xml)
    with loop.database.write() as session:
        projects.register(session, 1, xml)
    loop.outbox.send_due()
    assert delivery(loop).state == "failed" and missing in str(delivery(loop).reason)
    assert loop.label_studio.of_task(1) == []
    with loop.database.write() as session:
        projects.register(session, 1, CONFIG)
        assert jobs.retry(session, 1)
    assert loop.outbox.send_due() == 1, "when it was mended, it arrives"


FIXED = CONFIG.replace('frameRate="$fps"', 'frameRate="24"')


@fault(32, guard="backend.jobs.grounding.warning_for", without=lambda task, video: None)
def test_a_frame_rate_that_the_interface_fixes_is_said(sqlite_database: Database, tmp_path: Path) -> None:
    assert any('fixes frameRate="24"' in sentence for sentence in read_config(FIXED).warnings)
    loop = make_loop(sqlite_database, tmp_path)
    for config, expected in (
        (FIXED, 'use frameRate="$fps"'),
        (CONFIG.replace(' frameRate="$fps"', ""), "counts 24 frames"),
    ):
        with sqlite_database.write() as session:
            projects.register(session, 1, config)
        number = len(loop.engine.calls) + 1
        loop.answers.for_tasks(1, read_config(config), [loop.task(number, f"the box number {number}")])
        assert loop.worker.drain() == 1
        with sqlite_database.read() as session:
            warning = session.scalars(select(Task.warning).where(Task.ls_task_id == number)).one()
        assert expected in str(warning) and "the video has 25" in str(warning)
