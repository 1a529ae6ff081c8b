"""Every locator goes through the whole product, and each station can work with the evidence that it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from backend.db.engine import Database
from backend.settings import Settings
from stvg_core.demo.clips import split_scene
from stvg_core.settings import LocatorName
from tests.locating.walk import walk

WALKED = {"attention"}


def test_no_locator_is_left_out() -> None:
    assert set(get_args(LocatorName)) == WALKED, "a new locator needs its walk below"


def test_attention(sqlite_database: Database, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "worker", device="cpu", decode_seconds=0)
    scene = split_scene("test", 9000, difficulty="easy", max_seconds=6.0)
    found = walk(sqlite_database, tmp_path, settings, scene)
    assert found.prediction.keyframes and 'id="maps-panel"' in found.page and "What the model saw" not in found.page
    assert found.drawn["maps"] is not None and found.drawn["scores"]["words"] is False  # type: ignore[index]
    assert len(found.exported) == 1
    assert found.items == 1 and not found.left_out, "its rows can be joined again"
