"""One locator's way through the whole product: ground, store, show for review, correct, export, calibrate."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import select

from backend.bootstrap import open_versions
from backend.bootstrap.engine import LoadedGrounder
from backend.db import projects
from backend.db.engine import Database
from backend.db.tables import Job, Prediction, Task
from backend.export.record import Record
from backend.export.records import records
from backend.export.selection import Selection
from backend.http.app import create_app
from backend.jobs import calibrating
from backend.jobs.answers import Answers
from backend.jobs.worker import Worker
from backend.labelstudio.config import read_config
from backend.labelstudio.payloads import TaskPayload
from backend.media import MediaLibrary
from backend.media.cache import MediaCache
from backend.media.download import Downloader
from backend.review.drawn_tube import Drawn
from backend.settings import Settings
from stvg_core.demo.clips import write_clip
from stvg_core.demo.evaluate import scene_truth
from stvg_core.demo.scenes import Scene
from tests.db.helpers import CONFIG
from tests.http.conftest import make_settings
from tests.http.visitors import HTML, an_account, log_in
from tests.review.rows import says


@dataclass(frozen=True)
class Walked:
    """What came out at each station.

    Attributes:
        page: the review page; ``drawn``: what its scripts draw.
        items: how many corrections calibration could use, and why it left out the others.
    """

    prediction: Prediction
    page: str
    drawn: dict[str, object]
    exported: list[Record]
    items: int
    left_out: Counter[str]


def walk(database: Database, folder: Path, settings: Settings, scene: Scene) -> Walked:
    """Raises AssertionError where the job does not end well."""
    videos = folder / "videos"
    videos.mkdir()
    write_clip(videos / "a.mp4", scene)
    with database.write() as session:
        projects.register(session, 1, CONFIG)
    media = MediaLibrary(
        MediaCache(folder / "cache", 1 << 20),
        Downloader(label_studio_url="http://ls", transport=httpx.MockTransport(lambda _: httpx.Response(503))),
        document_root=videos, pause_s=0,
    )  # fmt: skip
    engine = LoadedGrounder(settings, database)
    worker = Worker(database, media, engine, name="w", lease_s=600, retry_s=60)
    data = {"video": "/data/local-files/?d=a.mp4", "query": scene.query, "fps": float(scene.fps)}
    Answers(database, engine.model_version, wait_s=0).for_tasks(1, read_config(CONFIG), [TaskPayload(1, data)])
    assert worker.drain() == 1
    with database.read() as session:
        job = session.get_one(Job, 1)
        assert job.state == "done", job.reason
        prediction = session.scalars(select(Prediction)).one()
        task_id = session.scalars(select(Task.id)).one()
    page, drawn = _look(database, folder, videos, engine.model_version, task_id)
    with database.write() as session:
        task = session.get_one(Task, task_id)
        says(session, 1, task, Drawn.whole(scene_truth(scene)), prediction=session.get_one(Prediction, 1), author_id=1)
    with database.read() as session:
        exported = list(records(session, Counter(), selection=Selection()))
    found = calibrating.look(database, open_versions(settings))
    return Walked(prediction, page, drawn, exported, found.calibrated.items, found.left_out)


def _look(database: Database, folder: Path, videos: Path, version: str, task_id: int) -> tuple[str, dict[str, object]]:
    settings = make_settings(document_root=videos, data_dir=folder / "data", label_studio_url="http://ls")
    an_account(database, "rita", "reviewer")
    with create_app(settings, database=database, model_version=version).test_client() as caller:
        log_in(caller, "rita")
        page = caller.get(f"/review/tasks/{task_id}", headers=HTML)
        assert page.status_code == 200, page.text
        return page.text, json.loads(caller.get(f"/review/tasks/{task_id}/evidence.json").text)
