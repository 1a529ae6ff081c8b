"""What is checked together with Label Studio: the token, the way back, names, frame rates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from backend.db import projects
from backend.db.engine import Database
from backend.db.tables import Task
from backend.doctor import connection, labelstudio, names, rates
from backend.doctor.installation import Installation, open_installation
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.connect import BACKEND_TITLE
from backend.testing import FakeLabelStudio
from tests.db.helpers import CONFIG, a_prediction, a_task
from tests.doctor.conftest import URL, found, one, settings

Make = Callable[..., Installation]


def know(
    database: Database, project: int = 1, hostname: str | None = None, label_studio_url: str | None = None
) -> None:
    with database.write() as session:
        projects.register(session, project, CONFIG, hostname, label_studio_url)


def test_the_token_and_whose_it_is(installed: Make) -> None:
    status, line = one(labelstudio.check, installed())
    assert status == "ok" and "1.23.2" in line and "legacy token is that of ann@example.org" in line


def test_a_personal_token(fake: FakeLabelStudio) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"access": "a"}) if "refresh" in request.url.path else fake(request)

    with LabelStudioClient(URL, "a.b.c", transport=httpx.MockTransport(answer), pause=0) as client:
        status, line = one(labelstudio.check, Installation(settings(), None, client))
    assert status == "ok" and "personal token" in line


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (httpx.Response(401, json={}), "STVG_LABEL_STUDIO_TOKEN"),
        (httpx.Response(403, json={}), "who may see"),
        (httpx.Response(200, text="<html><title>Welcome</title>"), "STVG_LABEL_STUDIO_URL"),
        (None, "cannot be reached"),
    ],
)
def test_label_studio_does_not_answer(
    installed: Make, fake: FakeLabelStudio, fault: httpx.Response | None, said: str
) -> None:
    fake.instead, fake.away = fault, fault is None
    status, line = one(labelstudio.check, installed())
    assert status == "fail" and said in line and "t" * 40 not in line


def test_label_studio_is_not_set_up() -> None:
    for given, status in (({"label_studio_token": None}, "warn"), ({"label_studio_token": SecretStr("a b")}, "fail")):
        with open_installation(settings(**given, database_url="sqlite:///gone.sqlite3")) as installation:
            assert one(labelstudio.check, installation)[0] == status


def test_local_projects_are_none_of_label_studios(
    installed: Make, sqlite_database: Database, fake: FakeLabelStudio
) -> None:
    def lines() -> list[str]:
        return [finding.line() for check in (connection.check, rates.check) for finding in found(check, installed())]

    know(sqlite_database)
    backend(fake)
    before = lines()
    with sqlite_database.write() as session:
        projects.local(session, "clips", CONFIG)
    assert before == lines() and not [one for one in fake.requests if "-1" in one]


def backend(fake: FakeLabelStudio, project: int = 1, **more: Any) -> None:
    number = len(fake.backends) + 1
    row = {"id": number, "project": project, "title": BACKEND_TITLE, "url": "http://192.168.1.5:9090", "state": "CO"}
    fake.backends[number] = row | more


def test_the_way_back(installed: Make, sqlite_database: Database, fake: FakeLabelStudio) -> None:
    assert one(connection.check, installed())[0] == "warn", "no project is known"
    know(sqlite_database)
    status, line = one(connection.check, installed())
    assert status == "warn" and "stvg connect --project 1" in line
    backend(fake, title="another service", url="http://other.test")
    assert one(connection.check, installed())[0] == "warn"
    backend(fake)
    status, line = one(connection.check, installed())
    assert status == "ok" and "http://192.168.1.5:9090" in line
    assert fake.requests[-1] == "GET /api/ml/2", "the list shows an old state"


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("http://192.168.1.5:9090", True), ("http://web.invalid:9090", True), ("http://[::1]:9090", True),
        ("http://8.8.8.8:9090", False),
    ],
)  # fmt: skip
def test_label_studio_does_not_reach_us(
    installed: Make, sqlite_database: Database, fake: FakeLabelStudio, url: str, hint: bool
) -> None:
    know(sqlite_database)
    backend(fake, state="DI", url=url)
    status, line = one(connection.check, installed())
    assert status == "fail" and "--backend-url" in line
    assert ("ML_BLOCK_LOCAL_IP=false" in line and "SSRF_PROTECTION_ENABLED=false" in line) is hint


@pytest.mark.parametrize(("reason", "said"), [("401 Client Error", "STVG_PASSWORD"), ("500", "log"), (None, "log")])
def test_we_refuse_label_studio(
    installed: Make, sqlite_database: Database, fake: FakeLabelStudio, reason: str | None, said: str
) -> None:
    know(sqlite_database)
    backend(fake, state="ER", error_message=reason)
    status, line = one(connection.check, installed())
    assert status == "fail" and said in line


def test_every_project_is_looked_at(installed: Make, sqlite_database: Database, fake: FakeLabelStudio) -> None:
    for number in (1, 2, 3):
        know(sqlite_database, number)
    backend(fake, 1)
    backend(fake, 3, state="DI")
    assert [entry.status for entry in found(connection.check, installed())] == ["ok", "warn", "fail"]
    fake.away = True
    assert found(connection.check, installed()) == [], "that is another check's"


@pytest.mark.parametrize(
    ("hostname", "aliases", "status"),
    [
        (None, "", "ok"), (URL, "", "ok"), ("https://label.example", "", "warn"),
        ("https://label.example", "https://label.example", "ok"),
    ],
)  # fmt: skip
def test_the_name_that_label_studio_calls_itself(
    installed: Make, sqlite_database: Database, hostname: str | None, aliases: str, status: str
) -> None:
    for where, said in ((URL, "calls itself"), (None, "nobody said which")):
        know(sqlite_database, hostname=hostname, label_studio_url=where)
        found_status, line = one(names.check, installed(label_studio_aliases=aliases))
        assert found_status == status
        assert status == "ok" or ("STVG_LABEL_STUDIO_ALIASES=https://label.example" in line and said in line)
    know(sqlite_database, hostname=hostname, label_studio_url="http://second.test")
    found_status, line = one(names.check, installed(label_studio_aliases=aliases))
    assert found_status == status and (status == "ok" or "a database of its own" in line)


@pytest.mark.parametrize(
    ("fps", "status", "said"),
    [(25, "ok", "1 of 2 sampled"), (None, "warn", "no frame rate"), (30, "fail", "counts 30 frames per second")],
)
def test_frame_rates(
    installed: Make, sqlite_database: Database, fake: FakeLabelStudio, fps: int | None, status: str, said: str
) -> None:
    with sqlite_database.write() as session:
        task = a_task(session, 11)
        session.get_one(Task, task.id).video_id = a_prediction(session).video_id
    fake.add_task(11, video="a.mp4", query="q", **({} if fps is None else {"fps": fps}))
    fake.add_task(12, video="never-seen.mp4", query="q", fps=30)
    found_status, line = one(rates.check, installed())
    assert found_status == status and said in line and (status == "ok" or "stvg connect --project 1" in line)


def test_an_interface_without_a_place_for_tubes(
    installed: Make, sqlite_database: Database, fake: FakeLabelStudio
) -> None:
    know(sqlite_database)
    fake.label_config = "<View/>"
    assert one(rates.check, installed())[0] == "warn"
    fake.gone_projects.add(1)
    assert found(rates.check, installed()) == []
