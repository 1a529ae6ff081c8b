"""Fault 12: a disk that is full, under the videos, the database, an export or the log."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import click
import pytest
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from backend.cli.serve import Server
from backend.db import schema
from backend.db.engine import Database
from backend.db.tables import Event
from backend.http.app import create_app
from backend.logs import configure_logging
from backend.media.cache import MediaCache
from backend.media.fetching import open_fetching
from stvg_core.errors import StvgError
from tests.db.helpers import CONFIG
from tests.export.labels import export, store
from tests.faults.fault import fault
from tests.faults.servers import Server as Source
from tests.faults.servers import said
from tests.faults.service import Service
from tests.faults.small_disk import NEEDED, SmallDisk, can_mount, has_namespaces
from tests.faults.without import no, nothing
from tests.http.calls import EVENT, count
from tests.http.conftest import BASIC, MODEL, make_settings
from tests.jobs.conftest import make_loop

FAULTS = range(12, 13)

KIB, MIB = 1 << 10, 1 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], SmallDisk]]:
    """Mounts a disk of so many bytes. Where this process may not, ``test_small_disk`` runs this file where it may."""
    if not can_mount(tmp_path):
        pytest.skip("this is run in a namespace by test_small_disk.py" if has_namespaces() else NEEDED)
    disks: list[SmallDisk] = []

    def mount(size: int) -> SmallDisk:
        disks.append(SmallDisk(tmp_path / f"disk{len(disks)}", size))
        return disks[-1]

    yield mount
    for one in disks:
        one.unmount()


def keep(cache: MediaCache, url: str, size: int, age_s: float) -> Path:
    """A video that was fetched before, and that nobody has used for so long."""
    content = url.encode() * (size // len(url))

    def write(file: BinaryIO) -> tuple[str, int]:
        file.write(content)
        return hashlib.sha256(content).hexdigest(), len(content)

    path = cache.store(url, "v.mp4", write).path
    moment = time.time() - age_s
    os.utime(path.parent / ".meta.json", (moment, moment))
    return path


def _none(self: MediaCache) -> int:
    return 0


@fault(12, guard="backend.media.cache.MediaCache.make_room", without=_none)
@pytest.mark.parametrize(("kib", "left"), [(300, 2), (900, 2), (1500, 1)])
def test_the_videos_that_were_not_used_for_longest_make_room(
    service: Service, disk: Callable[[int], SmallDisk], kib: int, left: int
) -> None:
    small = disk(2 * MIB)
    cache = MediaCache(small.path, 1 << 40)
    kept = [keep(cache, f"v{number}", 450 * KIB, age_s=9000 - number) for number in range(4)]
    service.use(cache)
    with Source(said(200, b"video" * (kib * KIB // 5))) as source:
        service.downloader.allowed_origins = [source.url]
        assert service.ground(f"{source.url}/a.mp4").state == "done"
    assert [path.exists() for path in kept] == [False] * (4 - left) + [True] * left


@fault(12, guard="backend.media.library._FULL", without=())
@pytest.mark.parametrize("seconds", [0, 600], ids=["fetched here", "fetched in a child"])
def test_a_video_that_fits_on_no_account_fails_its_job_and_the_next_is_worked_on(
    service: Service, disk: Callable[[int], SmallDisk], seconds: float
) -> None:
    small = disk(2 * MIB)
    cache = MediaCache(small.path, 1 << 40)
    in_use = keep(cache, "used", 450 * KIB, age_s=0)
    service.use(cache, open_fetching(seconds, 0, 600))
    with Source(said(200, b"video" * (3 * MIB // 5)), said(200, b"video")) as source:
        service.downloader.allowed_origins = [source.url]
        job = service.ground(f"{source.url}/a.mp4")
        assert job.state == "failed" and "The disk is full" in str(job.reason)
        assert in_use.exists() and small.free > MIB and not list(small.path.rglob("*.part"))
        assert service.ground(f"{source.url}/b.mp4").state == "done"


class Web:
    """The web process over a database on a small disk, with its videos in the same place."""

    def __init__(self, disk: SmallDisk) -> None:
        self.disk = disk
        self.database = Database(f"sqlite:///{disk.path}/stvg.sqlite3")
        schema.upgrade(self.database.engine)
        self.cache = MediaCache(disk.path / "data" / "media", 1 << 40)
        settings = make_settings(data_dir=disk.path / "data")
        app = create_app(settings, database=self.database, model_version=MODEL)
        self.client: FlaskClient = app.test_client()
        body = {"project": "1.1795344595", "schema": CONFIG, "hostname": "http://ls", "access_token": "t" * 40}
        assert self.client.post("/setup", json=body, auth=BASIC).status_code == 200

    def webhook(self, number: int) -> Any:
        """The answer to an annotation that somebody saved."""
        event = json.loads(json.dumps(EVENT))
        event["annotation"]["id"], event["task"]["data"]["note"] = number, "x" * 20_000
        return self.client.post("/webhook", json=event, auth=BASIC)


@pytest.fixture
def web(disk: Callable[[int], SmallDisk]) -> Iterator[Web]:
    made = Web(disk(12 * MIB))
    yield made
    made.database.close()


@contextmanager
def _lenient(self: Database) -> Iterator[Session]:
    """A transaction that is not waited for."""
    with suppress(OperationalError), Session(self.engine, expire_on_commit=False) as session:
        yield session
        session.commit()


@fault(12, guard="backend.db.engine.Database.write", without=_lenient)
@fault(12, guard="backend.db.room.is_full", without=no)
def test_a_webhook_that_cannot_be_kept_is_not_accepted(web: Web) -> None:
    web.disk.fill()
    answers = [web.webhook(number) for number in range(5)]
    assert {answer.status_code for answer in answers} == {503}
    assert all("disk of the database is full" in answer.text for answer in answers)
    assert count(web.database, Event) == 0
    web.disk.relieve()
    assert [web.webhook(number).json for number in range(5)] == [{"status": "stored"}] * 5
    assert count(web.database, Event) == 5


@fault(12, guard="backend.db.room.is_short", without=no)
def test_a_service_whose_database_cannot_grow_is_not_ready(web: Web) -> None:
    assert web.client.get("/ready").status_code == 200
    web.disk.fill()
    answer = web.client.get("/ready")
    assert answer.status_code == 503 and "disk of the database is full" in answer.json["error"]
    assert web.client.get("/health").status_code == 200, "it answers who reads, and a restart would not help"
    web.disk.relieve()
    assert web.client.get("/ready").status_code == 200


@fault(12, guard="backend.db.schema.is_full", without=no)
def test_a_service_that_begins_on_a_full_disk_says_so(web: Web) -> None:
    web.database.close()  # the files beside the database are gone, and cannot be made again
    web.disk.fill()
    for path in ("/health", "/ready"):
        answer = web.client.get(path)
        assert answer.status_code == 503 and "disk of the database is full" in answer.json["error"]
    web.disk.relieve()
    assert web.client.get("/health").status_code == 200


@fault(12, guard="backend.db.engine.Database.keep_room", without=nothing)
def test_fetched_videos_give_way_to_what_annotators_save(web: Web) -> None:
    old, young = keep(web.cache, "old", 5 * MIB, age_s=9000), keep(web.cache, "young", 600 * KIB, age_s=8000)
    web.disk.fill()
    assert web.webhook(1).json == {"status": "stored"} and count(web.database, Event) == 1
    assert not old.exists() and young.exists()


@fault(12, guard="backend.db.engine.Database.keep_room", without=nothing, by=OperationalError)
def test_fetched_videos_give_way_to_an_answer(web: Web, tmp_path: Path) -> None:
    old = keep(web.cache, "old", 5 * MIB, age_s=9000)
    service = Service(make_loop(web.database, tmp_path), tmp_path / "fetched")
    (service.videos / "good.mp4").write_bytes(b"video")
    number = service.ask("/data/local-files/?d=good.mp4", query="the red box " * 30)
    web.disk.fill()
    service.loop.worker.run_once()
    job = service.loop.job(number)
    assert (job.state, job.reason) == ("done", None) and not old.exists()


def _in_place(self: Any, word: str) -> Path:
    return Path(self.path)


@fault(
    12,
    guard="backend.export.outputs.Output._beside",
    without=_in_place,
    also={"backend.export.outputs.Output.discard": nothing},
)
@pytest.mark.parametrize("kind", ["csv", "hcstvg2", "parquet", "mot", "vidstg"])
def test_an_export_that_does_not_fit_leaves_the_one_before(
    sqlite_database: Database, sqlite_url: str, disk: Callable[[int], SmallDisk], kind: str
) -> None:
    with sqlite_database.write() as session:
        store(session)
    small = disk(MIB)
    out = small.path / "labels"
    export(sqlite_url, kind, out)
    files = [path for path in small.path.rglob("*") if path.is_file()]
    for path in files:
        path.write_bytes(path.name.encode())
    small.fill()
    overwrite = ["--overwrite"] if out.is_dir() else []
    with pytest.raises(StvgError, match=r"cannot be written: .*No space left"):
        export(sqlite_url, kind, out, *overwrite)
    small.relieve()
    assert {path for path in small.path.rglob("*") if path.is_file()} == set(files)
    assert all(path.read_bytes() == path.name.encode() for path in files)


@contextmanager
def logging_to(path: Path, form: str) -> Iterator[None]:
    """The service's log goes to a file, as where its standard error is one; everything is put back afterwards."""
    root, said_by = logging.getLogger(), sys.stderr
    handlers, level = list(root.handlers), root.level
    file = path.open("a", buffering=1)
    try:
        sys.stderr = file
        configure_logging("info", ["hush"], form)
        yield
    finally:
        root.handlers[:], sys.stderr = handlers, said_by
        root.setLevel(level)
        with suppress(OSError):
            file.close()


@fault(12, guard="backend.logs.Handler.handleError", without=logging.Handler.handleError)
@pytest.mark.parametrize("form", ["json", "text"])
def test_requests_are_answered_although_the_log_cannot_be_written(
    sqlite_database: Database, disk: Callable[[int], SmallDisk], form: str
) -> None:
    small = disk(MIB)
    log = small.path / "log"
    client = create_app(make_settings(), database=sqlite_database, model_version=MODEL).test_client()
    with logging_to(log, form):
        logging.getLogger("backend").warning("before")
        small.fill()
        for number in range(200):  # more than any buffer holds
            assert client.post("/webhook", data=b"{" + b" " * number, auth=BASIC).status_code == 400, "this is logged"
        assert client.post("/webhook", json=EVENT, auth=BASIC).status_code == 404, "a project that is not known yet"
        logging.getLogger("backend").warning("the password is %s", "hush")
        small.relieve()
        logging.getLogger("backend").warning("afterwards")
    assert count(sqlite_database, Event) == 1 and "hush" not in log.read_text()
    lines = log.read_text().splitlines()
    assert "the log could not be written" in lines.pop()
    if form == "json":
        told = [json.loads(line)["message"] for line in lines]  # no line is broken or runs into the next
        assert told[0] == "before" and told[-1] == "afterwards"
    else:
        assert lines[0].endswith(": before") and lines[-1].endswith(": afterwards")


def _tell(self: Any, level: int, sentence: str) -> None:
    click.echo(sentence, err=True)


@fault(12, guard="backend.cli.serve.Server._tell", without=_tell, by=OSError)
def test_the_service_begins_although_it_cannot_say_so(disk: Callable[[int], SmallDisk]) -> None:
    small = disk(MIB)
    (small.path / "log").touch()
    small.fill()
    server = Server.__new__(Server)
    server._settings, server._model_version = make_settings(), "llava-hf/a@1/0"
    with logging_to(small.path / "log", "text"):
        server._say(None)
