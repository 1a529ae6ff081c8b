"""A small clip, and a grounder that answers at once in the place of the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.cli import ground
from tests.cli.fake_grounder import FakeGrounder
from tests.video.painted import write_painted


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(ground, "_load", lambda *chosen: FakeGrounder())
    return write_painted(tmp_path / "clip.mp4", 10)
