"""``stvg calibrate --heads`` as a person calls it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from backend.bootstrap import open_grounder, open_versions
from backend.cli import calibrate, calibrate_heads
from backend.cli.main import stvg
from backend.db import audits, calibrations
from backend.db.engine import Database
from backend.jobs import head_choice
from backend.media import MediaFile
from backend.review.drawn_tube import Drawn
from backend.settings import SettingsError, load_settings
from stvg_core.calibration.heads import HeadItem
from stvg_core.calibration.items import Item
from stvg_core.errors import ModelError
from stvg_core.query import SubQueries
from tests.calibration.grounded import Session
from tests.calibration.rows import a_suggestion, corrected, versions
from tests.calibration.test_heads import ALL
from tests.calibration.test_heads import item as head_item
from tests.db.helpers import a_task
from tests.review.rows import says


def _stvg(*words: str) -> Result:
    return CliRunner().invoke(stvg, ["calibrate", "--heads", *words])


class PlantedLooks:
    """In the place of :class:`HeadLooks`: two heads know the interval, or none."""

    present, knowing = ALL, ("1.2", "3.0")

    def __init__(self, *_: Any) -> None:
        self.asked: list[tuple[Item, Path, str, SubQueries]] = []

    def look(self, item: Item, video: Path, sentence: str, parts: SubQueries) -> HeadItem:
        assert (video, sentence, parts.attribute, parts.found) == (Path("clip.mp4"), "the red box", "the red box", True)
        seen = head_item(int(item.name.split("/")[1]), knowing=self.knowing, strength=0.6)
        return HeadItem(item.name, item.video, seen.scores, seen.slots, seen.bounds, seen.truth)


class PlantedMedia:
    """Every video is there, and is the one that was answered, but for those of some tasks."""

    def __init__(self, *others: int) -> None:
        self._others = others

    def fetch(self, ref: str, *, task: int, project: int, **_: Any) -> MediaFile:
        assert ref == f"/data/upload/1/{task}.mp4" and project in (1, 2)
        number = 10_000 if task in self._others else task - 100
        return MediaFile(Path("clip.mp4"), f"{number:064d}", 9)


@pytest.fixture
def office(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv("STVG_DATABASE_URL", str(sqlite_database.engine.url))
    monkeypatch.setattr(calibrate, "open_versions", lambda settings: versions())
    monkeypatch.setattr(calibrate_heads, "open_media", lambda *_: PlantedMedia(103, 105))
    monkeypatch.setattr(calibrate_heads, "open_grounder", lambda *_, **__: None)
    monkeypatch.setattr(head_choice, "HeadLooks", PlantedLooks)
    with sqlite_database.write() as session:
        for number in range(30):
            corrected(session, number)
    return sqlite_database


@pytest.mark.parametrize("more", [(), ("--dry-run",), ("--project", "1")])
def test_what_holds_is_said_and_not_set(office: Database, more: tuple[str, ...]) -> None:
    done = _stvg(*more)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == f"28 corrected items of 28 videos, looked at again as {versions().base}"
    assert lines[1] == "2 left out: another file at the video's address"
    assert "- head 1.2: AUC 0." in done.output and "(in 100% of the folds)" in done.output
    assert 'STVG_SET="temporal_heads=1.2,3.0"' in done.output
    report = json.loads(_stvg(*more, "--json").output)
    assert report["state"] == "would help" and report["heads"] == ["1.2", "3.0"] and report["interval"][0] > 0
    assert report["model_version"] != report["base"] and report["model_version"] in lines[-1]
    with office.read() as session:
        assert versions().present(session) == versions().base
        assert not calibrations.newest(session, versions().looks) and not audits.newest(session)


def test_noise_is_not_recommended(office: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PlantedLooks, "knowing", ())
    assert "Not recommended: " in _stvg().output.splitlines()[-1]
    report = json.loads(_stvg("--json").output)
    assert report["state"] == "would be refused" and report["set"] is report["model_version"] is None


def test_bad_words_and_nothing_corrected(office: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert CliRunner().invoke(stvg, ["calibrate", "--heads", "--revert"]).exit_code == 2
    with office.write() as session:
        corrected(session, 60, project=2).was_cancelled = True

    def no_model(*_: object, **__: object) -> None:
        raise AssertionError("a model is loaded for nothing")

    monkeypatch.setattr(calibrate_heads, "open_grounder", no_model)
    lines = _stvg("--project", "2").output.splitlines()
    assert lines[0].startswith("0 corrected items of 0 videos") and lines[-1].startswith("Not recommended: 0 corrected")
    words = versions(replace(versions().method, locator="speak"))
    monkeypatch.setattr(calibrate, "open_versions", lambda settings: words)
    assert isinstance(_stvg().exception, SettingsError)


def test_without_the_model_it_says_so(office: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(calibrate_heads, "open_grounder", open_grounder)
    monkeypatch.setenv("STVG_MODEL", str(tmp_path / "no-model"))
    failed = _stvg()
    assert isinstance(failed.exception, ModelError) and "no-model" in str(failed.exception)


def test_the_embedded_model_looks_at_corrected_clips_again(
    grounded: Session, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three clips, one whose file is gone, one that is no video: too few, with figures all the same."""
    folder = grounded.model.parent
    monkeypatch.setenv("STVG_DATABASE_URL", str(sqlite_database.engine.url))
    monkeypatch.setenv("STVG_MODEL", str(grounded.model))
    monkeypatch.setenv("STVG_DOCUMENT_ROOT", str(folder))
    monkeypatch.setenv("STVG_DATA_DIR", str(folder / "data"))
    (folder / "broken.mp4").write_bytes(b"no video")
    names = ["9000.mp4", "9001.mp4", "9002.mp4", "gone.mp4", "broken.mp4"]
    with sqlite_database.write() as session:
        for number, (name, answer) in enumerate(zip(names, grounded.answers, strict=False)):
            found, file = answer.found, folder / name
            task = a_task(session, number + 1)
            task.video_ref = f"/data/local-files/?d={name}"
            row = a_suggestion(
                session, number, found.evidence, found.tube, version=found.model_version, n_frames=found.video.n_frames
            )
            row.query, row.attribute_query, row.action_query = found.query, found.attribute_query, found.action_query
            if file.exists():
                row.video.sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
            task.video_id = row.video_id
            says(session, number + 1, task, Drawn.whole(answer.truth), prediction=row, author_id=1)
    report = json.loads(_stvg("--json").output)
    assert report["left_out"].pop("the video cannot be fetched") == 1
    assert report["left_out"].pop("the video cannot be read") == 1
    assert report["items"] + sum(report["left_out"].values()) == 3 and report["items"] >= 2
    assert "at least 20 of at least 10 videos" in report["reason"] and report["state"] == "would be refused"
    assert 0 < report["before"] <= 1 and 0 < report["after"] <= 1 and report["sets_tried"] > 5
    assert report["base"] == open_versions(load_settings()).base
    assert len(report["present"]) == 8, "all heads of the two layers that the model's preset names"
