"""Small pictures of tubes: of the right frame, with the box, made once, and none where there can be none."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from backend.db.engine import Database
from backend.db.tables import Task
from backend.http.app import create_app
from backend.http.kept_pictures import KeptPictures
from backend.http.stills import Stills, StillsBusy
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.errors import VideoError
from stvg_core.tube import Array, VideoInfo
from tests.http.conftest import MODEL, make_settings
from tests.http.visitors import HTML, an_account, log_in
from tests.review.labelled import CORRECTED, FRAMES, SUGGESTED, a_correction, a_suggestion, a_task

SUGGESTION, LABEL = "/review/thumbnails/suggestion/1.jpg", "/review/thumbnails/label/1.jpg"
YELLOW = np.array([255, 196, 0])


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scene = replace(split_scene("demo", 0, difficulty="easy"), n_frames=FRAMES)
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", scene)


@pytest.fixture
def web(sqlite_database: Database, clip: Path, tmp_path: Path) -> Iterator[FlaskClient]:
    """An annotator before an app that sees the clip, with one task: suggested and corrected."""
    (tmp_path / "videos" / "clips").mkdir(parents=True)
    shutil.copy(clip, tmp_path / "videos" / "clips" / "clip.mp4")
    settings = make_settings(document_root=tmp_path / "videos", data_dir=tmp_path / "data")
    an_account(sqlite_database, "anna", "annotator")
    with sqlite_database.write() as session:
        task = a_task(session, 11)
        a_correction(session, task, a_suggestion(session, task, file=clip))
    with create_app(settings, database=sqlite_database, model_version=MODEL).test_client() as caller:
        log_in(caller, "anna")
        yield caller


class Recorded(Stills):
    """Grey pictures, or what is raised; ``asked`` has the frames."""

    def __init__(self, *raised: Exception) -> None:
        super().__init__(lambda: None)
        self.asked: list[int] = []
        self.raised = list(raised)

    def picture(self, info: VideoInfo, number: int, side: int) -> Array:
        self.asked.append(number)
        if self.raised:
            raise self.raised.pop(0)
        return np.full((side * 3 // 4, side, 3), 128, dtype=np.uint8)


def use(web: FlaskClient, stills: Stills) -> None:
    extensions = web.application.extensions
    extensions["stvg"] = replace(extensions["stvg"], thumbnails=KeptPictures(stills))


def middle(rows: list[list[float]]) -> list[float]:
    (_, *first), (_, *last) = rows
    return [(a + b) / 2 for a, b in zip(first, last, strict=True)]


@pytest.mark.parametrize(("path", "rows"), [(SUGGESTION, SUGGESTED), (LABEL, CORRECTED)])
def test_the_box_is_drawn_where_the_tube_is_in_its_middle(web: FlaskClient, path: str, rows: list[list[float]]) -> None:
    stills = Recorded()
    use(web, stills)
    answer = web.get(path)
    assert (answer.status_code, answer.mimetype) == (200, "image/jpeg")
    pixels = np.asarray(Image.open(io.BytesIO(answer.data))).astype(int)
    assert pixels.shape == (120, 160, 3)
    yellow = np.abs(pixels - YELLOW).sum(axis=2) < 120
    down, across = np.nonzero(yellow)
    found = [across.min() / 160, down.min() / 120, (across.max() + 1) / 160, (down.max() + 1) / 120]
    assert found == pytest.approx(middle(rows), abs=0.025)
    assert not yellow[down.min() + 6 : down.max() - 6, across.min() + 6 : across.max() - 6].any(), "a line, no area"
    assert abs(stills.asked[0] - (rows[0][0] + rows[1][0]) / 2) <= 1


def test_a_real_picture_is_small_and_kept_by_the_browser(web: FlaskClient) -> None:
    answer = web.get(SUGGESTION)
    assert max(Image.open(io.BytesIO(answer.data)).size) == 160 and len(answer.data) < 12_000
    assert "immutable" in answer.headers["Cache-Control"] and "private" in answer.headers["Cache-Control"]
    again = web.get(SUGGESTION, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304 and not again.data


def test_a_picture_is_decoded_once(web: FlaskClient) -> None:
    stills = Recorded()
    use(web, stills)
    assert web.get(SUGGESTION).data == web.get(SUGGESTION).data
    assert len(stills.asked) == 1


def test_a_video_that_cannot_be_decoded_is_not_tried_with_each_look(web: FlaskClient) -> None:
    stills = Recorded(VideoError("broken"))
    use(web, stills)
    for _ in range(3):
        answer = web.get(SUGGESTION)
        assert (answer.status_code, answer.data) == (204, b"")
    assert len(stills.asked) == 1
    assert web.get(LABEL).status_code == 200, "another picture is another question"


def test_while_the_decoder_is_busy_the_browser_comes_again(web: FlaskClient) -> None:
    use(web, Recorded(StillsBusy()))
    busy = web.get(SUGGESTION)
    assert busy.status_code == 202 and busy.headers["Retry-After"]
    assert web.get(SUGGESTION).status_code == 200


def test_there_is_none_where_the_video_is_gone_or_another_one(web: FlaskClient, tmp_path: Path) -> None:
    file = tmp_path / "videos" / "clips" / "clip.mp4"
    file.write_bytes(b"another")
    assert web.get(SUGGESTION).status_code == 204
    file.unlink()
    assert web.get(SUGGESTION).status_code == 204 and web.get(LABEL).status_code == 204


def test_there_is_none_without_a_tube(web: FlaskClient, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        empty, skip = a_task(session, 12), a_task(session, 13)
        a_suggestion(session, empty, keyframes=None)
        a_correction(session, skip, a_suggestion(session, skip), was_cancelled=True, tubes=[])
    for path in ("suggestion/2.jpg", "label/2.jpg"):
        assert web.get(f"/review/thumbnails/{path}").status_code == 204, path
    text = web.get("/review/", headers=HTML).text
    assert 'data-src="/review/thumbnails/label/1.jpg"' in text and "label/2.jpg" not in text


def test_what_is_no_row_is_not_found(web: FlaskClient, sqlite_database: Database) -> None:
    for path in ("label/77", "suggestion/77", "other/1", f"label/{2**40}"):
        assert web.get(f"/review/thumbnails/{path}.jpg").status_code == 404, path
    with sqlite_database.write() as session:
        session.get_one(Task, 1).video_id = None
    assert web.get(SUGGESTION).status_code == 404, "the video belongs to no task any more"


def test_kept_pictures_stay_below_their_limit() -> None:
    kept = KeptPictures(Recorded(), kept_bytes=2000)
    for number in range(5):
        kept.keep(str(number), b"x" * 400)
        kept.find("0")
    assert [number for number in range(5) if kept.find(str(number))] == [0, 3, 4], "the longest unused went"
    kept.keep("0", b"y" * 400)
    assert kept.find("0") == b"y" * 400 and kept.find("3") is not None, "replaced, not counted twice"
