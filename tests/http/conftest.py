"""An app over an empty database, with a caller who knows the password."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr

from backend.db.engine import Database
from backend.http.app import create_app
from backend.settings import Settings
from tests.db.helpers import CONFIG

BASIC = ("stvg", "a-long-password")
API_TOKEN = "api-token-0123456789"
WEBHOOK_TOKEN = "webhook-token-0123456789"
MODEL = "fake@1/0"


def make_settings(**more: object) -> Settings:
    values: dict[str, object] = {
        "username": BASIC[0],
        "password": SecretStr(BASIC[1]),
        "api_token": SecretStr(API_TOKEN),
        "webhook_token": SecretStr(WEBHOOK_TOKEN),
        "interactive_wait_s": 600.0,
        "max_body_bytes": 200_000,
        "secret_key": SecretStr("a-secret-key-of-the-tests"),
        **more,
    }
    return Settings(**values)  # type: ignore[arg-type]


@pytest.fixture
def web(sqlite_database: Database) -> Iterator[FlaskClient]:
    app = create_app(make_settings(), database=sqlite_database, model_version=MODEL)
    with app.test_client() as caller:
        yield caller


@pytest.fixture
def connected(web: FlaskClient) -> FlaskClient:
    """The same, after project 1 has introduced itself."""
    body = {"project": "1.1795344595", "schema": CONFIG, "hostname": "http://ls", "access_token": "t" * 40}
    assert web.post("/setup", json=body, auth=BASIC).status_code == 200
    return web
