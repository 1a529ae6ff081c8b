"""A worker with a fake engine, a Label Studio in memory, and videos in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from backend.db import projects
from backend.db.engine import Database
from backend.db.tables import Delivery, Event, Job
from backend.db.types import now
from backend.jobs.answers import Answers
from backend.jobs.delivering import Outbox
from backend.jobs.worker import Worker
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.config import read_config
from backend.labelstudio.payloads import TaskPayload
from backend.media import MediaLibrary
from backend.media.cache import MediaCache
from backend.media.download import Downloader
from backend.testing import FakeEngine, FakeLabelStudio
from tests.db.helpers import CONFIG

Region = dict[str, Any]


@dataclass
class Loop:
    """Everything between a question and its arrival in Label Studio."""

    database: Database
    engine: FakeEngine
    worker: Worker
    label_studio: FakeLabelStudio
    client: LabelStudioClient
    outbox: Outbox
    answers: Answers
    videos: Path

    def task(self, number: int, query: str = "the red box", *, video: str = "a.mp4", **data: Any) -> TaskPayload:
        """A task that lies in Label Studio, as ``/predict`` carries it."""
        stored = {"video": f"/data/local-files/?d={video}", "query": query, "fps": 25, **data}
        stored = {key: value for key, value in stored.items() if value is not None}
        self.label_studio.add_task(number, **stored)
        return TaskPayload(number, stored)

    def ask(self, *tasks: TaskPayload) -> list[list[Any]]:
        return self.answers.for_tasks(1, read_config(CONFIG), tasks)

    def job(self, number: int = 1) -> Job:
        with self.database.read() as session:
            return session.get_one(Job, number)

    def make_due(self) -> None:
        """As if all pauses were over, and whoever holds something were gone for long."""
        past = now() - timedelta(seconds=1)
        with self.database.write() as session:
            for table in (Delivery, Job, Event):
                session.execute(update(table).where(table.run_after.is_not(None)).values(run_after=past))
                session.execute(update(table).where(table.lease_until.is_not(None)).values(lease_until=past))


def make_loop(database: Database, videos: Path) -> Loop:
    with database.write() as session:
        projects.register(session, 1, CONFIG)
    for name in ("a.mp4", "b.mp4"):
        (videos / name).write_bytes(name.encode())
    (videos / "bad.mp4").write_bytes(b"not a video")
    engine, fake = FakeEngine(), FakeLabelStudio(CONFIG)
    client = LabelStudioClient("http://ls", "token", transport=httpx.MockTransport(fake), pause=0)
    downloader = Downloader(label_studio_url="http://ls", transport=httpx.MockTransport(lambda r: httpx.Response(503)))
    media = MediaLibrary(MediaCache(videos / "cache", 1 << 20), downloader, document_root=videos, pause_s=0)
    return Loop(
        database=database,
        engine=engine,
        worker=Worker(database, media, engine, name="w", lease_s=5, retry_s=60),
        label_studio=fake,
        client=client,
        outbox=Outbox(database, client, name="o"),
        answers=Answers(database, engine.model_version, wait_s=600),
        videos=videos,
    )


@pytest.fixture
def loop(sqlite_database: Database, tmp_path: Path) -> Loop:
    return make_loop(sqlite_database, tmp_path)


@pytest.fixture
def each_loop(database: Database, tmp_path: Path) -> Loop:
    """On SQLite and on PostgreSQL."""
    return make_loop(database, tmp_path)


def suggest(loop: Loop) -> list[Region]:
    loop.ask(loop.task(1))
    loop.worker.drain()
    [[body]] = loop.ask(loop.task(1))
    regions: list[Region] = body["result"]
    return regions


@pytest.fixture
def suggested(loop: Loop) -> list[Region]:
    """The regions of task 1's suggestion, as the page copies them into an annotation."""
    return suggest(loop)
