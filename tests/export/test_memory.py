"""A dataset of any size leaves in the memory of one video."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from backend.db.tables import Video
from backend.export import parquet
from backend.export.formats import FORMATS, Format
from backend.export.record import Record, VideoLabels
from backend.labelstudio.config import read_config
from labeling_config import video_tube
from stvg_core.keyframes import Keyframe, expand

CONFIG = read_config(video_tube())
N_FRAMES = 60


def labels(number: int) -> VideoLabels:
    video = Video(
        sha256=f"{number:064d}", width=640, height=480, fps_num=25, fps_den=1, n_frames=N_FRAMES, duration_s=8.0
    )
    keyframes = tuple(Keyframe(frame, np.array([0.1, 0.1, 0.4, 0.4])) for frame in (0, N_FRAMES - 1))
    record = Record(
        project_id=1, task_id=number, annotation_id=number, author_id=3, video_ref=f"{number}.mp4", video=video,
        query="the red box", tube=expand(keyframes), keyframes=keyframes, intervals=((0, N_FRAMES - 1),),
        label="Target", origin="drawn", verdict=None, judged_wrong=False, moment=datetime(2026, 11, 22, tzinfo=UTC),
        model_version=None, config=CONFIG,
    )  # fmt: skip
    return VideoLabels(f"{number}.mp4", str(number), video, [record])


def peak(form: Format, place: Path, videos: int) -> int:
    """Bytes of Python's own memory at the worst moment of writing so many videos."""
    if form.folder:
        place.mkdir()
    tracemalloc.start()
    try:
        with form.open(place) as add:
            for number in range(videos):
                add(labels(number))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_more_videos_take_no_more_memory(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROWS_PER_GROUP", 4)
    form = FORMATS[kind]
    peak(form, tmp_path / "warm", 1)  # what is imported and compiled once
    few, many = (peak(form, tmp_path / str(videos), videos) for videos in (16, 46))
    # All at once, the boxes of 30 more videos would be 30 * 60 lists of four floats: over 400 KB.
    assert many - few < 150_000
