"""An installation with a fake Label Studio, and one without anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from backend.db.engine import Database
from backend.doctor.finding import Check, Finding
from backend.doctor.installation import Installation
from backend.labelstudio.client import LabelStudioClient
from backend.settings import Settings
from backend.testing import FakeLabelStudio
from tests.db.helpers import CONFIG

URL = "http://ls.test:8080"


def settings(**more: Any) -> Settings:
    values: dict[str, Any] = {
        "username": "u",
        "password": SecretStr("a-long-password"),
        "webhook_token": SecretStr("webhook-token-0123"),
        "label_studio_url": URL,
        "label_studio_token": SecretStr("t" * 40),
        **more,
    }
    return Settings(**values)


def found(check: Check, installation: Installation) -> list[Finding]:
    """What a check finds; every finding that is not ok says what mends it."""
    findings = list(check(installation))
    assert all(finding.mend for finding in findings if finding.status != "ok"), findings
    return findings


def one(check: Check, installation: Installation) -> tuple[str, str]:
    """Status and line of a check with one finding."""
    [finding] = found(check, installation)
    return finding.status, finding.line()


@pytest.fixture
def fake() -> FakeLabelStudio:
    return FakeLabelStudio(CONFIG)


@pytest.fixture
def installed(
    sqlite_database: Database, sqlite_url: str, tmp_path: Path, fake: FakeLabelStudio
) -> Iterator[Callable[..., Installation]]:
    """Makes an installation with the given settings over a ready database and the fake Label Studio."""
    client = LabelStudioClient(URL, "t" * 40, transport=httpx.MockTransport(fake), pause=0)

    def make(**more: Any) -> Installation:
        chosen = settings(**{"database_url": sqlite_url, "data_dir": tmp_path / "data", **more})
        return Installation(chosen, sqlite_database, client)

    yield make
    client.close()
