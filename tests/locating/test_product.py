"""Every locator goes through the whole product, and each station can work with the evidence that it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from backend.db.engine import Database
from backend.settings import Settings
from stvg_core.demo.clips import split_scene
from stvg_core.settings import LocatorName
from tests.locating.walk import walk
from tests.looking.server import MODEL, good, looking

WORDS = ("speak", "marks", "pick")
WALKED = {"attention", *WORDS}


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


@pytest.mark.parametrize("locator", WORDS)
def test_words(sqlite_database: Database, tmp_path: Path, locator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No model is loaded: the one behind the endpoint sees the pictures and says where and when."""
    monkeypatch.setattr("stvg_core.pipeline.load", None)
    scene = split_scene("validation", 500, difficulty="easy", action="moving left", max_seconds=6.0)
    with looking(lambda facts: f"<script>alert(1)</script> {good(facts)}") as server:
        settings = Settings(  # as the README says it, for the variables STVG_...
            data_dir=tmp_path / "worker", device="cpu", decode_seconds=0, locator=locator, proposer="embedded",
            llm_url=server.url, llm_model=MODEL,
        )  # type: ignore[arg-type]  # fmt: skip
        found = walk(sqlite_database, tmp_path, settings, scene)
    row = found.prediction
    assert row.model_version.startswith(f"endpoint-{MODEL}@{locator}-1/") and server.url not in row.model_version
    assert row.keyframes and row.uncertainty is not None and row.uncertainty < 0.5
    assert "What the model saw and said" in found.page and 'class="shown"' in found.page and MODEL in found.page
    assert "<script>alert(1)" not in found.page and "&lt;script&gt;alert(1)" in found.page
    for sign in ("<text ", "Red numbers were painted"):
        assert (sign in found.page) == (locator != "speak"), "painted numbers are painted again"
    assert found.drawn["maps"] is None and found.drawn["scores"]["words"] is True  # type: ignore[index]
    assert len(found.exported) == 1 and found.exported[0].model_version == row.model_version
    assert found.items == 0 and list(found.left_out) == ["a model's words: no scores that could be joined again"]
