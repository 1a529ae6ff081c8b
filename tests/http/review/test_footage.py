"""The video of a task and its single pictures, as a browser asks for them."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from backend.db.engine import Database
from backend.db.tables import Task
from backend.http.fetching import Fetching
from backend.http.footage import media_type
from backend.http.stills import Stills, StillsBusy
from backend.media import MediaLibrary
from backend.media.cache import MediaCache
from backend.media.download import Downloader
from stvg_core.children.child import ChildLimits
from stvg_core.video.child_processes import DecodingProcesses
from tests.http.review.seen import page
from tests.http.visitors import post
from tests.review.labelled import FRAMES


def test_the_video_comes_in_ranges(web: FlaskClient, labelled: int, clip: Path) -> None:
    whole = web.get("/review/videos/1")
    content = clip.read_bytes()
    assert whole.data == content and whole.mimetype == "video/mp4"
    part = web.get("/review/videos/1", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.data) == (206, content[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(content)}"
    assert web.get("/review/videos/1", headers={"Range": f"bytes={len(content)}-"}).status_code == 416
    again = web.get("/review/videos/1", headers={"If-None-Match": whole.headers["ETag"]})
    assert again.status_code == 304 and not again.data
    assert "private" in whole.headers["Cache-Control"]


def test_single_pictures(web: FlaskClient, labelled: int) -> None:
    first = web.get("/review/videos/1/frames/0.jpg?side=64")
    picture = Image.open(io.BytesIO(first.data))
    assert first.mimetype == "image/jpeg" and max(picture.size) == 64
    assert "private" in first.headers["Cache-Control"] and "immutable" in first.headers["Cache-Control"]
    other = web.get(f"/review/videos/1/frames/{FRAMES - 1}.jpg?side=64")
    assert np.abs(np.asarray(picture, float) - np.asarray(Image.open(io.BytesIO(other.data)), float)).mean() > 0.1
    cached = web.get("/review/videos/1/frames/0.jpg?side=64", headers={"If-None-Match": first.headers["ETag"]})
    assert cached.status_code == 304 and not cached.data
    missing = web.get(f"/review/videos/1/frames/{FRAMES}.jpg")
    assert missing.status_code == 404 and "60 frames" in missing.text
    assert web.get("/review/videos/1/frames/0.jpg?side=nonsense").status_code == 200


def test_another_file_at_the_same_address_is_not_shown(web: FlaskClient, labelled: int, root: Path) -> None:
    (root / "clips" / "clip.mp4").write_bytes(b"something else")
    response = web.get("/review/videos/1")
    assert response.status_code == 404 and "another file" in response.text
    assert "another file" in page(web, f"/review/tasks/{labelled}")


def test_a_video_of_no_task_is_not_given(web: FlaskClient, sqlite_database: Database, labelled: int) -> None:
    with sqlite_database.write() as session:
        session.get_one(Task, labelled).video_id = None
    assert web.get("/review/videos/1").status_code == 404
    assert web.get("/review/videos/1/frames/0.jpg").status_code == 404


def test_a_remote_video_is_fetched_only_when_asked_for(
    web: FlaskClient, sqlite_database: Database, labelled: int, clip: Path, tmp_path: Path
) -> None:
    """The page never waits for the download; it offers to start one."""
    with sqlite_database.write() as session:
        session.get_one(Task, labelled).video_ref = "http://videos.example/clip.mp4"
    asked = []

    class Source(Downloader):
        def fetch(self, url: str, file: io.IOBase, alive: object = None) -> tuple[str, int]:  # type: ignore[override]
            asked.append(url)
            file.write(clip.read_bytes())
            return hashlib.sha256(clip.read_bytes()).hexdigest(), clip.stat().st_size

    source = Source(
        label_studio_url=None, label_studio_headers=dict, allowed_origins=[], max_bytes=10**9, timeout_s=1, deadline_s=1
    )
    media = MediaLibrary(MediaCache(tmp_path / "cache", 10**9), source)
    fetching = Fetching(media)
    extensions = web.application.extensions
    extensions["stvg"] = replace(extensions["stvg"], media=media, fetching=fetching)
    away = web.get("/review/videos/1")
    assert away.status_code == 404 and "not on this machine yet" in away.text
    assert "Fetch it" in page(web, f"/review/tasks/{labelled}") and not asked
    assert post(web, "/review/videos/1/fetch", task=labelled).location == f"/review/tasks/{labelled}"
    fetching.wait()
    assert asked == ["http://videos.example/clip.mp4"]
    assert web.get("/review/videos/1/state.json").json == {"state": "here", "reason": None}
    assert web.get("/review/videos/1").data == clip.read_bytes()


def test_a_fetch_that_fails_says_why(web: FlaskClient, sqlite_database: Database, labelled: int) -> None:
    with sqlite_database.write() as session:
        session.get_one(Task, labelled).video_ref = "http://127.0.0.1:1/clip.mp4"
    post(web, "/review/videos/1/fetch", task=labelled)
    web.application.extensions["stvg"].fetching.wait()
    text = page(web, f"/review/tasks/{labelled}")
    assert "not on the public internet" in text and "Try again" in text


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x00\x00\x00\x18ftypisom", "video/mp4"),
        (b"\x1aE\xdf\xa3....webm", "video/webm"),
        (b"OggS", "video/ogg"),
        (b"\x1aE\xdf\xa3....matroska", "video/x-matroska"),
        (b"RIFF....AVI ", "video/x-msvideo"),
        (b"\x47" * 9, "video/mp2t"),
        (b"<html>", "application/octet-stream"),
    ],
)
def test_a_file_is_what_it_begins_with(tmp_path: Path, head: bytes, kind: str) -> None:
    path = tmp_path / "name.mp4"
    path.write_bytes(head)
    assert media_type(path) == kind


def test_an_object_of_a_storage_is_fetched_for_its_task(
    web: FlaskClient, sqlite_database: Database, labelled: int, clip: Path, tmp_path: Path
) -> None:
    with sqlite_database.write() as session:
        task = session.get_one(Task, labelled)
        task.video_ref, number = "s3://bucket/clip.mp4", task.ls_task_id
    asked = []

    class Source(Downloader):
        def fetch(self, url: str, file: io.IOBase, alive: object = None) -> tuple[str, int]:  # type: ignore[override]
            asked.append(url.partition("?")[0])
            file.write(clip.read_bytes())
            return hashlib.sha256(clip.read_bytes()).hexdigest(), clip.stat().st_size

    media = MediaLibrary(MediaCache(tmp_path / "cache", 10**9), Source(label_studio_url="http://ls"))
    fetching = Fetching(media)
    extensions = web.application.extensions
    extensions["stvg"] = replace(extensions["stvg"], media=media, fetching=fetching)
    assert web.get("/review/videos/1/state.json").json == {"state": "away", "reason": None}
    post(web, "/review/videos/1/fetch", task=labelled)
    fetching.wait()
    assert asked == [f"http://ls/tasks/{number}/presign/"]
    assert web.get("/review/videos/1/state.json").json == {"state": "here", "reason": None}


@pytest.mark.parametrize(
    ("limits", "reader", "status", "said"),
    [
        (ChildLimits(0.3), "hangs", 404, "did not answer for 0.3 s"),
        (ChildLimits(600), "crashes", 404, "The decoder crashed"),
    ],
)
def test_a_page_says_why_there_is_no_picture(
    web: FlaskClient, labelled: int, limits: ChildLimits, reader: str, status: int, said: str
) -> None:
    stills = Stills(lambda: DecodingProcesses(limits, idle=0, reader=f"tests.video.hostile:{reader}"))
    extensions = web.application.extensions
    extensions["stvg"] = replace(extensions["stvg"], stills=stills)
    answer = web.get("/review/videos/1/frames/1.jpg")
    assert answer.status_code == status and said in answer.text


def test_a_page_says_when_to_ask_again(web: FlaskClient, labelled: int) -> None:
    class Busy(Stills):
        def picture(self, *_: object) -> np.ndarray:
            raise StillsBusy

    extensions = web.application.extensions
    extensions["stvg"] = replace(extensions["stvg"], stills=Busy(lambda: None))
    answer = web.get("/review/videos/1/frames/1.jpg")
    assert answer.status_code == 503 and answer.headers["Retry-After"]
    assert "Ask for this one again" in answer.text
