"""A small dataset for every format, and what must be found in it again, worked out without the exporters."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from backend.cli.export import command
from backend.db.tables import Video
from backend.export.record import Record, VideoLabels
from backend.labelstudio.config import read_config
from labeling_config import video_tube
from stvg_core.keyframes import Keyframe, expand
from tests.export.rows import CORRECTED, PROPOSED, a_prediction, a_task, a_tube, a_video, annotate

WIDTH, HEIGHT, FPS, N_FRAMES = 320, 240, 25.0, 50
CORRECTED_SENTENCE = "the man in rot – schön"
QUESTION = "what moves to the left?"
GAP_SENTENCE = "=cmd() | the <red> box & more"
GAP_KEYFRAMES = [[0, 0.1, 0.1, 0.4, 0.4], [10, 0.2, 0.1, 0.5, 0.4], [30, 0.3, 0.5, 0.6, 0.9], [49, 0.3, 0.5, 0.7, 1.0]]
GAP_INTERVALS = [[0, 12], [20, 20], [25, 49]]

Boxes = dict[int, list[float]]


def store(session: Session) -> None:
    """Two videos: two sentences on the first (a question among them), one with gaps on the second."""
    first, second = a_video(session, "a"), a_video(session, "b")
    task = a_task(session, 1, video=first, ref="/data/local-files/?d=clips/walk.mp4", query=CORRECTED_SENTENCE)
    annotate(session, task, a_tube(CORRECTED), prediction=a_prediction(session, task), verdict="wrong time")
    task = a_task(session, 2, video=first, ref="/data/local-files/?d=clips/walk.mp4", query=QUESTION)
    annotate(session, task, a_tube(PROPOSED), prediction=a_prediction(session, task), verdict="correct")
    task = a_task(session, 3, video=second, ref="/data/local-files/?d=../../x/=walk.mp4", query=GAP_SENTENCE)
    annotate(session, task, a_tube(GAP_KEYFRAMES, label=None, intervals=GAP_INTERVALS))


def expected(*, filled: bool = False) -> dict[str, Boxes]:
    """Corners in pixels by sentence and frame (from 0), on the frames on which the box is drawn, or on all between."""
    rows = {
        CORRECTED_SENTENCE: (CORRECTED, [[4, 9]]),
        QUESTION: (PROPOSED, [[2, 9]]),
        GAP_SENTENCE: (GAP_KEYFRAMES, [[0, 49]] if filled else GAP_INTERVALS),
    }
    return {sentence: dense(keyframes, intervals) for sentence, (keyframes, intervals) in rows.items()}


def dense(keyframes: list[Any], intervals: list[Any]) -> Boxes:
    known = [row[0] for row in keyframes]
    frames = [frame for first, last in intervals for frame in range(first, last + 1)]
    sides = [np.interp(frames, known, [row[side] for row in keyframes]) for side in range(1, 5)]
    pixels = np.stack(sides, axis=1) * (WIDTH, HEIGHT, WIDTH, HEIGHT)
    return dict(zip(frames, pixels.tolist(), strict=True))


def assert_same(found: dict[str, Boxes], wanted: dict[str, Boxes], *, atol: float = 0.011) -> None:
    """The same sentences, exactly the same frames, boxes within the format's precision (pixels)."""
    assert found.keys() == wanted.keys()
    for sentence, boxes in wanted.items():
        assert sorted(found[sentence]) == sorted(boxes), sentence
        frames = sorted(boxes)
        np.testing.assert_allclose([found[sentence][f] for f in frames], [boxes[f] for f in frames], atol=atol)


def corners(x: float, y: float, width: float, height: float) -> list[float]:
    return [x, y, x + width, y + height]


def export(database_url: str, kind: str, out: Path, *more: str) -> str:
    """Run the command and return what it printed."""
    arguments = ["--format", kind, "--out", str(out), "--database-url", database_url, *more]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@st.composite
def records_with_gaps(draw: st.DrawFn) -> Record:
    """A label whose box is off between some of its frames, in a video of any size and rate."""
    width, height = draw(st.integers(16, 4096)), draw(st.integers(16, 2160))
    bounds = sorted(draw(st.lists(st.integers(0, 300), min_size=2, max_size=8, unique=True)))
    # Two bounds make an interval; it has at least two frames, because a bound is followed by a larger one.
    intervals = tuple(zip(bounds[::2], bounds[1::2], strict=False))
    first, last = intervals[0][0], intervals[-1][1]
    frames = sorted({first, last, *draw(st.lists(st.integers(first, last), max_size=6))})
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    boxes = np.sort(rng.uniform(0, 1, (len(frames), 2, 2)), axis=1).reshape(-1, 4)
    keyframes = tuple(Keyframe(frame, box) for frame, box in zip(frames, boxes, strict=True))
    rate = draw(st.sampled_from([(25, 1), (30000, 1001), (10, 1)]))
    n_frames = last + 1 + draw(st.integers(0, 5))
    video = Video(
        sha256="c" * 64, width=width, height=height, fps_num=rate[0], fps_den=rate[1], n_frames=n_frames,
        duration_s=n_frames * rate[1] / rate[0], size_bytes=1,
    )  # fmt: skip
    return Record(
        project_id=1, task_id=2, annotation_id=3, author_id=4, video_ref="a.mp4", video=video, query="the box",
        tube=expand(keyframes), keyframes=keyframes, intervals=intervals, label="Target", origin="drawn", verdict=None,
        judged_wrong=False, moment=datetime(2026, 11, 22, tzinfo=UTC), model_version=None,
        config=read_config(video_tube()),
    )  # fmt: skip


def of_one(record: Record) -> VideoLabels:
    return VideoLabels("a.mp4", "a", record.video, [record])


def drawn_boxes(record: Record) -> Boxes:
    """Corners in pixels of the frames on which the record's box is on, from its tube alone."""
    size = (record.video.width, record.video.height, record.video.width, record.video.height)
    pixels = record.tube.boxes.astype(np.float64) * size
    return {
        frame: pixels[frame - record.tube.start_frame].tolist()
        for first, last in record.intervals
        for frame in range(first, last + 1)
    }
