"""A task with a correction on a real clip, and the pages with a reviewer logged in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from backend.db.engine import Database
from backend.http.app import create_app
from stvg_core.demo.clips import split_scene, write_clip
from tests.http.conftest import MODEL, make_settings
from tests.http.visitors import an_account, log_in
from tests.review.labelled import FRAMES, a_correction, a_suggestion, a_task


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real mp4 of ``FRAMES`` frames."""
    scene = replace(split_scene("demo", 0, difficulty="easy"), n_frames=FRAMES)
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", scene)


@pytest.fixture
def root(tmp_path: Path, clip: Path) -> Path:
    (tmp_path / "videos" / "clips").mkdir(parents=True)
    shutil.copy(clip, tmp_path / "videos" / "clips" / "clip.mp4")
    return tmp_path / "videos"


@pytest.fixture
def web(sqlite_database: Database, root: Path, tmp_path: Path) -> Iterator[FlaskClient]:
    """An app that sees the clip, with a reviewer logged in."""
    settings = make_settings(document_root=root, data_dir=tmp_path / "data", label_studio_url="http://ls.example/base/")
    an_account(sqlite_database, "rita", "reviewer")
    with create_app(settings, database=sqlite_database, model_version=MODEL).test_client() as caller:
        log_in(caller, "rita")
        yield caller


@pytest.fixture
def labelled(sqlite_database: Database, clip: Path) -> int:
    """A corrected task on the clip; returns its row."""
    with sqlite_database.write() as session:
        task = a_task(session, 11)
        a_correction(session, task, a_suggestion(session, task, file=clip))
        return task.id
