"""Two Label Studios are connected to one service: a name of one is no name of the other, and no token goes astray."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr

from backend.bootstrap import open_media
from backend.db.engine import Database
from backend.http.app import create_app
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.connect import Service, ensure_backend
from backend.media import MediaError, MediaLibrary
from backend.settings import Settings
from tests.db.helpers import CONFIG
from tests.http.conftest import BASIC, MODEL, make_settings
from tests.labelstudio.fake_label_studio import FakeLabelStudio


class Named(FakeLabelStudio):
    """One that tells the service what it calls itself, as the real one does while it is connected, and gives out files.

    Attributes:
        asked: its files that were asked for, each with the token that came along.
    """

    def __init__(self, url: str, name: str, token: str, web: FlaskClient) -> None:
        super().__init__()
        self.url, self.name, self.token, self._web = url, name, token, web
        self.asked: list[tuple[str, str | None]] = []

    def client(self) -> LabelStudioClient:
        return LabelStudioClient(self.url, self.token, transport=httpx.MockTransport(self.answer), pause=0)

    def connect(self, number: int) -> None:
        project = {"id": number}
        self.rows["projects"][number] = {"id": number, "title": "Tubes", "label_config": CONFIG}
        ensure_backend(self.client(), project, Service("http://stvg.test", *BASIC))

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/data/"):
            self.asked.append((request.url.path, request.headers.get("Authorization")))
            right = request.headers.get("Authorization") == f"Token {self.token}"
            return httpx.Response(200, content=self.token.encode()) if right else httpx.Response(401)
        response = super().answer(request)
        if request.url.path.startswith("/api/ml") and request.method in ("POST", "PATCH"):
            row = self.all("ml")[-1]
            body = {
                "project": f"{row['project']}.179", "schema": CONFIG, "hostname": self.name, "access_token": "t" * 40,
                "extra_params": row.get("extra_params"),
            }  # fmt: skip
            assert self._web.post("/setup", json=body, auth=BASIC).status_code == 200
        return response


@pytest.fixture
def settings(tmp_path: Path) -> Callable[[str, str], Settings]:
    def make(url: str, token: str) -> Settings:
        return make_settings(
            label_studio_url=url, label_studio_token=SecretStr(token), data_dir=tmp_path / token, fetch_seconds=0
        )

    return make


@pytest.mark.parametrize("same_number", [True, False])
def test_a_video_of_one_is_never_fetched_with_the_token_of_the_other(
    sqlite_database: Database, settings: Callable[[str, str], Settings], same_number: bool
) -> None:
    database = sqlite_database
    web = create_app(settings("http://first.test", "a" * 40), database=database, model_version=MODEL).test_client()
    first = Named("http://first.test", "https://one.example", "a" * 40, web)
    second = Named("http://second.test", "https://two.example/label", "b" * 40, web)
    both = {"first.test": first, "second.test": second, "one.example": first, "two.example": second}

    def library(one: Named) -> MediaLibrary:
        found = open_media(settings(one.url, one.token), one.client(), database)
        found._downloader.resolver = lambda host, port: ["93.184.216.34"]
        found._downloader.transport = httpx.MockTransport(
            lambda request: both[request.headers["host"]].answer(_below(request))
        )
        return found

    first.connect(1)
    second.connect(1 if same_number else 2)
    if same_number:
        first.connect(1)  # a project is told by its number alone: whoever spoke last is known
    for one, other in ((first, second), (second, first)):
        media = library(one)
        if one is first or not same_number:
            assert media.fetch(f"{one.name}/data/upload/1/a.mp4").path.read_bytes() == one.token.encode()
            assert one.asked == [("/data/upload/1/a.mp4", f"Token {one.token}")], "its own name is a name of it"
        one.asked.clear()
        with pytest.raises(MediaError):
            media.fetch(f"{other.name}/data/upload/1/b.mp4")
        assert one.asked == [], "the other's video was not looked for here"
        assert all(token is None for _, token in other.asked)
        other.asked.clear()


def _below(request: httpx.Request) -> httpx.Request:
    """What a Label Studio under a path is asked for below it."""
    url: Any = request.url.copy_with(path=request.url.path.removeprefix("/label"))
    return httpx.Request(request.method, url, headers=request.headers)


def test_what_stvg_connect_says_survives_a_second_run(sqlite_database: Database) -> None:
    web = create_app(make_settings(), database=sqlite_database, model_version=MODEL).test_client()
    fake = Named("http://first.test", "https://one.example", "a" * 40, web)
    for _ in range(2):
        fake.connect(1)
        [row] = fake.all("ml")
        assert row["extra_params"] == {"label_studio_url": "http://first.test"}
