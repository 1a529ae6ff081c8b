"""What is checked on this machine alone: credentials, database, clock, folders, language model."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from backend.db import schema
from backend.db.engine import Database
from backend.doctor import credentials, databases, folders, language
from backend.doctor.installation import Installation
from backend.settings import Settings
from tests.doctor.conftest import one, settings
from tests.language.chat_server import Reply, said, serving

Make = Callable[..., Installation]
LONG = SecretStr("x" * credentials.SHORTEST)


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        ({}, "warn", "stvg serve will not start"),
        ({"label_studio_url": "http://ls"}, "fail", "STVG_USERNAME"),
        ({"username": "u", "label_studio_url": "http://ls"}, "fail", "STVG_PASSWORD"),
        ({"api_token": LONG}, "warn", "STVG_USERNAME"),
        ({"username": "u", "password": LONG}, "warn", "STVG_WEBHOOK_TOKEN"),
        ({"username": "u", "password": LONG, "webhook_token": LONG}, "ok", "are set"),
    ],
)
def test_credentials(given: dict[str, Any], status: str, said: str) -> None:
    assert one(credentials.check, Installation(Settings(**given)))[0] == status
    assert said in one(credentials.check, Installation(Settings(**given)))[1]


def test_secrets_that_can_be_guessed_are_named() -> None:
    short = SecretStr("x" * (credentials.SHORTEST - 1))
    given = {"username": "u", "password": short, "api_token": LONG, "webhook_token": short}
    first, *rest = credentials.check(Installation(Settings(**given)))  # type: ignore[arg-type]
    assert first.status == "warn" and "STVG_PASSWORD and STVG_WEBHOOK_TOKEN" in first.said
    assert short.get_secret_value() not in first.line() and [one.status for one in rest] == ["ok"]


def test_the_database_and_its_migration(database: Database, database_url: str) -> None:
    status, line = one(databases.check, Installation(settings(database_url=database_url)))
    assert status == "ok" and schema.head_revision() in line
    assert ("PostgreSQL on" if "postgresql" in database_url else "SQLite in") in line


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "STVG_DATABASE_URL"),
        ("sqlite:///{folder}/gone.sqlite3", "stvg db upgrade"),
        ("sqlite:///{folder}/empty.sqlite3", "is empty. Run: stvg db upgrade"),
        ("postgresql+psycopg://u:hush@127.0.0.1:1/none", "cannot be reached"),
    ],
)
def test_a_database_that_cannot_be_used(tmp_path: Path, url: str, said: str) -> None:
    (tmp_path / "empty.sqlite3").touch()
    status, line = one(databases.check, Installation(settings(database_url=url.format(folder=tmp_path))))
    assert status == "fail" and said in line and "hush" not in line and not (tmp_path / "gone.sqlite3").exists()


def test_the_clock_is_asked_of_the_database(database: Database) -> None:
    status, line = one(databases.check_clock, Installation(settings(), database))
    assert status == "ok" and ("this machine's clock" in line or "differ by 0.0 s" in line)
    assert list(databases.check_clock(Installation(settings()))) == []


@pytest.mark.parametrize(
    ("seconds", "status"), [(0.0, "ok"), (-0.9, "ok"), (1.5, "warn"), (-19.0, "warn"), (20.0, "fail"), (-9e4, "fail")]
)
def test_a_clock_that_is_wrong(seconds: float, status: str) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    found = databases.judge_clock(moment + timedelta(seconds=seconds), moment, moment, 60.0)
    assert found.status == status and f"{abs(seconds):.1f} s" in found.said


def test_the_round_trip_to_the_database_is_no_difference() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert (
        databases.judge_clock(moment + timedelta(seconds=9), moment, moment + timedelta(seconds=9), 60).status == "ok"
    )


@pytest.mark.parametrize(("free", "status"), [(50e9, "ok"), (1e9, "warn"), (1e6, "fail")])
def test_the_data_folder_has_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: float, status: str) -> None:
    monkeypatch.setattr(folders.shutil, "disk_usage", lambda _: SimpleNamespace(free=int(free)))
    assert one(folders.check_data, Installation(settings(data_dir=tmp_path / "a" / "b")))[0] == status
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_data_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    status, line = one(folders.check_data, Installation(settings(data_dir=tmp_path / "file" / "data")))
    assert status == "fail" and "STVG_DATA_DIR" in line


def test_the_media_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def status(root: Path | None) -> str:
        return one(folders.check_media, Installation(settings(document_root=root)))[0]

    assert status(None) == "ok" and status(tmp_path) == "warn" and status(tmp_path / "gone") == "fail"
    (tmp_path / "a.mp4").touch()
    assert status(tmp_path) == "ok"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert status(tmp_path) == "fail"


@pytest.mark.parametrize(("given", "said"), [({"decomposer": "rules"}, "rules"), ({"decomposer": "model"}, "itself")])
def test_without_an_endpoint_no_language_model_is_needed(given: dict[str, Any], said: str) -> None:
    status, line = one(language.check, Installation(settings(**given)))
    assert status == "ok" and said in line


def test_an_endpoint_without_an_address() -> None:
    status, line = one(language.check, Installation(settings(decomposer="endpoint", decomposer_model="m"), ask=True))
    assert status == "fail" and "STVG_LLM_URL" in line


@pytest.mark.parametrize(("ask", "reply", "status", "asked"), [
    (False, Reply(500), "ok", 0), (True, said('{"ok": true}'), "ok", 1), (True, Reply(401), "fail", 1),
])  # fmt: skip
def test_the_language_model_is_asked_on_demand_only(ask: bool, reply: Reply, status: str, asked: int) -> None:
    with serving() as server:
        server.replies = [reply]
        given = settings(decomposer="endpoint", decomposer_model="m", llm_url=server.url, llm_key=SecretStr("k" * 20))
        found, line = one(language.check, Installation(given, ask=ask))
        assert (found, len(server.requests)) == (status, asked) and "k" * 20 not in line
