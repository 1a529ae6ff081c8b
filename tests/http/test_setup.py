"""``/setup``: what a project says of itself is kept, its token is not."""

from __future__ import annotations

import json
import logging

import pytest
from flask.testing import FlaskClient

from backend.bootstrap import open_media
from backend.db import projects
from backend.db.engine import Database
from backend.db.tables import Base, Project
from tests.db.helpers import CONFIG, statements
from tests.http.conftest import BASIC, MODEL, make_settings


def test_setup_answers_with_the_model_version_and_keeps_no_token(
    web: FlaskClient, sqlite_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    database = sqlite_database
    token = "0123456789abcdef0123456789abcdef01234567"
    body = {"project": "1.179", "schema": CONFIG, "hostname": "http://ls", "access_token": token, "extra_params": None}
    with caplog.at_level(logging.DEBUG):
        response = web.post("/setup", json=body, auth=BASIC)
    assert response.json == {"model_version": MODEL}
    assert token not in caplog.text and token not in response.text
    with database.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            assert token not in str(connection.execute(table.select()).all())
    assert web.get("/versions", auth=BASIC).json == {"versions": [MODEL]}


@pytest.mark.parametrize(
    ("hostname", "learnt"),
    [
        ("https://studio.example/label/", ["https://studio.example/label"]),
        ("http://studio:8080", ["http://studio:8080"]),
        ("http://localhost:8080", []),  # what it sends where nobody gave it a name
        ("http://127.0.0.1:9", []),
        ("http://[::1]:9", []),
        ("", []),
        ("studio:8080", []),
        ("javascript://x", []),
    ],
)
def test_setup_keeps_what_label_studio_calls_itself(
    web: FlaskClient, sqlite_database: Database, hostname: str, learnt: list[str]
) -> None:
    extra = {"label_studio_url": "http://ls:8080/"}
    body = {"project": "1.179", "schema": CONFIG, "hostname": hostname, "access_token": "t" * 40, "extra_params": extra}
    assert web.post("/setup", json=body, auth=BASIC).status_code == 200
    with sqlite_database.read() as session:
        assert projects.names(session) == [(name, "http://ls:8080") for name in learnt]
    settings = make_settings(label_studio_url="http://ls:8080", label_studio_aliases="http://other:1")
    media = open_media(settings, None, sqlite_database)
    assert list(media._downloader.place.aliases) == ["http://other:1", *learnt]
    body["hostname"] = ""
    assert web.post("/setup", json=body, auth=BASIC).status_code == 200
    with sqlite_database.read() as session:
        assert [name for name, _ in projects.names(session)] == learnt, "an empty name takes nothing away"


@pytest.mark.parametrize(
    "extra", [None, {}, "", "no JSON", [1], {"label_studio_url": None}, {"label_studio_url": "ftp://ls"}, "[" * 100_000]
)
def test_a_name_of_which_nobody_said_whose_it_is_is_no_alias(
    web: FlaskClient, sqlite_database: Database, extra: object
) -> None:
    body = {"project": "1.1", "schema": CONFIG, "hostname": "http://studio", "access_token": "", "extra_params": extra}
    assert web.post("/setup", json=body, auth=BASIC).status_code == 200
    media = open_media(make_settings(label_studio_url="http://ls:8080"), None, sqlite_database)
    assert list(media._downloader.place.aliases) == []
    only = open_media(make_settings(label_studio_url=None), None, sqlite_database)
    assert list(only._downloader.place.aliases) == ["http://studio"], "there it is the only one"


def test_only_what_is_new_is_written(connected: FlaskClient, sqlite_database: Database) -> None:
    """Label Studio says it again before each ``/predict``."""
    body = {"project": "1.179", "schema": CONFIG, "hostname": "http://ls", "access_token": "t" * 40}
    for again in (body, body | {"schema": "", "hostname": ""}):
        with statements(sqlite_database) as seen:
            assert connected.post("/setup", json=again, auth=BASIC).json == {"model_version": MODEL}
        assert seen and all(line.startswith("SELECT") for line in seen)
    where = {"label_studio_url": "http://there"}
    for name, value in (("schema", CONFIG.replace("Target", "Goal")), ("hostname", "http://other")):
        connected.post("/setup", json=body | {name: value, "extra_params": json.dumps(where)}, auth=BASIC)
        with sqlite_database.read() as session:
            stored = session.get_one(Project, 1)
        assert value in (stored.label_config, stored.hostname) and stored.label_studio_url == "http://there"
