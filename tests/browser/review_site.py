"""A site of review pages over a painted clip, and a reviewer who is logged in to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from playwright.sync_api import Browser
from werkzeug.serving import make_server

from backend.db import accounts
from backend.db.engine import Database
from backend.http.app import create_app
from backend.http.stills import Stills
from backend.review import decisions
from tests.browser.review_page import ReviewPage
from tests.browser.waiting import PATIENCE_S
from tests.e2e.painted_clip import paint_clip
from tests.http.conftest import MODEL, make_settings
from tests.review.labelled import a_correction, a_job, a_suggestion, a_task

PASSWORD = "correct horse battery"
FPS = Fraction(30000, 1001)
START, END = 18, 40  # of the suggestion, on the square's true place
CORRECTED_END = 44
RIGHT, DOWN = 0.05, 0.08  # how far the correction lies from the square
NEAR = 0.012  # compression blurs the square's edge by about two pixels of 240


@dataclass(frozen=True)
class Site:
    url: str
    database: Database
    painted: int
    other: int
    failed: int

    def decided(self, task: int) -> list[str]:
        with self.database.read() as session:
            return [row.decision for row in decisions.history(session, task)]


@pytest.fixture
def site(sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Three tasks: a corrected one on the painted clip, a suggested one, a failed one."""
    # However busy the machine is, pictures wait for their turn, unless a test is about that.
    monkeypatch.setattr("backend.http.app.Stills", partial(Stills, patience_s=PATIENCE_S))
    monkeypatch.setattr("backend.http.app._STILL_S", PATIENCE_S)
    clip = tmp_path / "videos" / "clips" / "clip.mp4"
    boxes = paint_clip(clip, FPS).boxes
    suggested = [[frame, *boxes[frame].tolist()] for frame in range(START, END + 1)]
    moved = [
        [frame, *(boxes[frame] + [RIGHT, DOWN, RIGHT, DOWN]).tolist()] for frame in range(START, CORRECTED_END + 1)
    ]
    with sqlite_database.write() as session:
        accounts.add(session, "rita", PASSWORD, "reviewer")
        task, other, failed = (
            a_task(session, 11, query="the painted one"), a_task(session, 12, query="another one"),
            a_task(session, 13, query="the failed one", name="gone.mp4"),
        )  # fmt: skip
        first = a_suggestion(session, task, file=clip, fps=FPS, keyframes=suggested, uncertainty=0.2)
        a_correction(session, task, first, keyframes=moved)
        a_suggestion(session, other, file=clip, fps=FPS, keyframes=suggested, uncertainty=0.9)
        a_job(session, failed, state="failed", reason="gone.mp4 is not a video.")
        numbers = task.id, other.id, failed.id
    settings = make_settings(
        document_root=tmp_path / "videos", data_dir=tmp_path / "data", label_studio_url="http://label-studio.example"
    )
    server = make_server(
        "127.0.0.1", 0, create_app(settings, database=sqlite_database, model_version=MODEL), threaded=True
    )
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Site(f"http://127.0.0.1:{server.server_port}", sqlite_database, *numbers)
    server.shutdown()
    thread.join()


@pytest.fixture
def reviewer(chromium: Browser, site: Site) -> Iterator[ReviewPage]:
    """A tab with the reviewer logged in; nothing may have been complained about at the end."""
    context = chromium.new_context(viewport={"width": 1280, "height": 860})
    tab = ReviewPage.open(context.new_page(), site.url)
    tab.log_in("rita", PASSWORD)
    yield tab
    context.close()
    assert tab.complaints == []


def close(a: list[float], b: list[float], slack: float = NEAR) -> bool:
    return bool(np.abs(np.array(a) - np.array(b)).max() < slack)
