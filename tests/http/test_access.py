"""Who may ask what, and what a caller reads when a request is bad."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from backend.db.engine import Database
from backend.http.app import create_app
from backend.settings import Settings, SettingsError, load_settings
from tests.http.conftest import API_TOKEN, BASIC, MODEL, make_settings

ROUTES = [
    ("GET", "/"),
    ("POST", "/setup"),
    ("POST", "/predict"),
    ("POST", "/webhook"),
    ("GET", "/versions"),
    ("GET", "/metrics"),
]


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": f"Token {API_TOKEN}"}, {"Authorization": f"Bearer {API_TOKEN}"}, {"X-STVG-Token": API_TOKEN}],
)
def test_the_token_opens_every_route_in_three_spellings(web: FlaskClient, headers: dict[str, str]) -> None:
    for method, route in ROUTES:
        assert web.open(route, method=method, headers=headers, data=b"{").status_code in (200, 400)


def test_without_any_credentials_the_app_does_not_start(sqlite_database: Database) -> None:
    for given in ({}, {"username": "u"}, {"webhook_token": "t"}):
        with pytest.raises(SettingsError, match="STVG_PASSWORD"):
            create_app(Settings(**given), database=sqlite_database, model_version=MODEL)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("/setup", {"schema": "<View/>"}),
        ("/setup", {"project": "x.1", "schema": ""}),
        ("/setup", {"project": "1.1", "schema": "<View><Text name='a' value='$b'/></View>"}),
        ("/setup", {"project": 10**30, "schema": ""}),
        ("/predict", {"tasks": []}),
        ("/predict", {"tasks": [{"id": 1, "data": {}}]}),
        ("/predict", {"tasks": [{"id": 1, "data": "x"}], "project": "1.1"}),
        ("/predict", {"tasks": [{"id": 10**30, "data": {}}], "project": "1.1"}),
        ("/predict", {"tasks": [{"id": 1, "data": {}}], "project": "1.1", "label_config": "<View"}),
        ("/webhook", {"project": {"id": 1}}),
        ("/webhook", {"action": "X", "project": {"id": "one"}}),
        ("/webhook", {"action": "X", "project": {"id": 10**30}}),
    ],
)
def test_wrong_fields_get_400_and_one_sentence(connected: FlaskClient, route: str, body: object) -> None:
    response = connected.post(route, json=body, auth=BASIC)
    assert response.status_code == 400 and response.json["error"].endswith(".")


def test_unknown_addresses_and_methods_are_told_in_json(web: FlaskClient) -> None:
    assert web.get("/nowhere", auth=BASIC).status_code == 404 and "error" in web.get("/nowhere", auth=BASIC).json
    assert web.get("/predict", auth=BASIC).status_code == 405


def test_settings_that_cannot_be_read_are_named_without_their_value(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "a-long-password" not in repr(make_settings())
    monkeypatch.setenv("STVG_PORT", "hush-port")
    monkeypatch.setenv("STVG_LABEL_STUDIO_URL", "ftp://hush")
    with pytest.raises(
        SettingsError, match=r"STVG_PORT.*STVG_LABEL_STUDIO_URL|STVG_LABEL_STUDIO_URL.*STVG_PORT"
    ) as caught:
        load_settings()
    assert "hush" not in str(caught.value)


def test_the_web_process_never_loads_a_model_library(sqlite_url: str) -> None:
    code = (
        "import sys; from backend.http.app import create_app; import backend.cli.serve\n"
        "app = create_app()\n"
        "assert app.test_client().get('/health').status_code == 200\n"
        "heavy = {'torch', 'transformers', 'cv2', 'decord', 'av'} & set(sys.modules); assert not heavy, heavy\n"
    )
    root = Path(__file__).parents[2]
    environment = {
        **os.environ,
        "STVG_DATABASE_URL": sqlite_url,
        "STVG_API_TOKEN": "t" * 20,
        "STVG_SECRET_KEY": "k" * 20,
    }
    environment |= {"STVG_MODEL": "some/model@1", "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
