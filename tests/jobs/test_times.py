"""Videos from before frame times were stored get them when they are read again, or it is said why not."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.db import predictions
from backend.db.engine import Database
from backend.db.tables import Video
from backend.jobs.times import record_missing_times
from backend.media import MediaError, MediaFile
from stvg_core.times import pack_times
from stvg_core.video import probe
from tests.db.helpers import a_task
from tests.video.painted import write_painted

PTS = [*range(0, 2000, 100), *range(10_000, 12_000, 100)]


class Folder:
    """Gives one file for every address."""

    def __init__(self, path: Path) -> None:
        self.path, self.asked = path, 0

    def fetch(self, ref: str) -> MediaFile:
        self.asked += 1
        if not self.path.exists():
            raise MediaError(f"{self.path.name} is gone.")
        content = self.path.read_bytes()
        return MediaFile(self.path, hashlib.sha256(content).hexdigest(), len(content))


def store(database: Database, path: Path, **changed: Any) -> None:
    """The row as it was written before, with a task that names it."""
    info = probe(path)
    facts = {
        "width": info.width, "height": info.height, "fps_num": info.fps_num, "fps_den": info.fps_den,
        "n_frames": info.n_frames, "duration_s": info.duration_s, "size_bytes": 1, "variable_rate": info.variable_rate,
    }  # fmt: skip
    with database.write() as session:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        a_task(session).video_id = predictions.store_video(session, sha256, **facts | changed).id


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_painted(tmp_path / "a.mp4", 40, pts=PTS, time_base=Fraction(1, 1000))


def seconds(database: Database, frame: int) -> float | None:
    with database.read() as session:
        return session.query(Video).one().seconds_of(frame)


def test_a_row_from_before_gets_its_times_once(database: Database, clip: Path) -> None:
    store(database, clip)
    assert seconds(database, 20) is None
    folder = Folder(clip)
    assert record_missing_times(database, folder, probe) == (1, [])
    assert seconds(database, 20) == pytest.approx(10.0)
    assert record_missing_times(database, folder, probe) == (0, [])
    assert folder.asked == 1


def test_an_even_rate_is_never_read_again(database: Database, tmp_path: Path) -> None:
    folder = Folder(write_painted(tmp_path / "a.mp4", 12))
    store(database, folder.path)
    assert seconds(database, 10) == 0.4
    assert record_missing_times(database, folder, probe) == (0, []) and folder.asked == 0


def test_what_cannot_be_read_again_is_named(database: Database, clip: Path) -> None:
    store(database, clip, n_frames=39)
    [sentence] = record_missing_times(database, Folder(clip), probe)[1]
    assert "read in another way" in sentence
    clip.write_bytes(clip.read_bytes() + b"\0")
    assert "another file" in record_missing_times(database, Folder(clip), probe)[1][0]
    clip.unlink()
    assert "a.mp4 is gone" in record_missing_times(database, Folder(clip), probe)[1][0]
    assert seconds(database, 20) is None


def test_a_row_from_before_a_mistake_was_mended_is_put_right(database: Database, clip: Path) -> None:
    """A cover picture was once read in place of the video."""
    store(database, clip, width=80, height=48, n_frames=1, variable_rate=False, warnings=["old"])
    store(database, clip, warnings=[], frame_times=pack_times(np.array(PTS) / 1000))
    with database.read() as session:
        row = session.query(Video).one()
        assert (row.width, row.height, row.n_frames, row.variable_rate, row.warnings) == (160, 96, 40, True, [])
    assert seconds(database, 20) == pytest.approx(10.0)


def test_the_next_reading_fills_a_row(database: Database, clip: Path) -> None:
    store(database, clip)
    times = np.array(PTS) / 1000
    store(database, clip, frame_times=pack_times(times))
    assert seconds(database, 20) == pytest.approx(10.0)
    store(database, clip)  # a reading that brings no times takes none away
    assert seconds(database, 20) == pytest.approx(10.0)
