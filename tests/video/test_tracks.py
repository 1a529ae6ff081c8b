"""Of several video tracks the one that is the video is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from stvg_core.errors import VideoError
from stvg_core.video import probe, read_frames
from tests.video.painted import painted, read_number


@dataclass(frozen=True)
class Part:
    """One video stream; its pictures show the numbers from ``first`` on."""

    codec: str
    size: tuple[int, int]
    pictures: int
    first: int = 0
    disposition: int = 0


STILL = Part("mjpeg", (80, 48), 1, 500)
VIDEO = Part("libx264", (160, 96), 20)
SMALL = Part("libx264", (80, 48), 20, 300)


def write_parts(path: Path, parts: Sequence[Part]) -> Path:
    with av.open(str(path), "w") as container:
        streams = []
        for part in parts:
            stream = container.add_stream(part.codec, rate=25)
            stream.width, stream.height = part.size
            stream.pix_fmt = "yuvj420p" if part.codec == "mjpeg" else "yuv420p"
            stream.disposition = Disposition(part.disposition)
            streams.append(stream)
        for stream, part in zip(streams, parts, strict=True):
            for number in range(part.pictures):
                frame = av.VideoFrame.from_ndarray(painted(part.first + number, *part.size), format="rgb24")
                frame.pts = number
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def marked(part: Part, disposition: Disposition = Disposition.default) -> Part:
    return Part(part.codec, part.size, part.pictures, part.first, disposition)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
@pytest.mark.parametrize(
    "parts",
    [
        (STILL, VIDEO),
        (marked(STILL), VIDEO),  # a still that the file marks as its default is a still
        (VIDEO, STILL),
        (STILL, marked(VIDEO)),
        (marked(STILL, Disposition.attached_pic), VIDEO),
        (Part("libx264", (320, 192), 1, 500), VIDEO),  # larger than the video
    ],
)
def test_a_still_beside_a_video_is_never_the_video(parts: Sequence[Part], name: str, tmp_path: Path) -> None:
    info = probe(write_parts(tmp_path / name, parts))
    assert (info.width, info.height, info.n_frames, info.warnings) == (160, 96, 20, ())
    assert [read_number(p) for p in read_frames(info, np.array([0, 11, 19])).pixels] == [0, 11, 19]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
@pytest.mark.parametrize("order", [1, -1])
def test_the_default_video_is_read_and_the_other_one_said(name: str, order: int, tmp_path: Path) -> None:
    info = probe(write_parts(tmp_path / name, [VIDEO, marked(SMALL)][::order]))
    assert (info.width, info.n_frames) == (80, 20)
    assert [read_number(p) for p in read_frames(info, np.array([0, 11])).pixels] == [300, 311]
    [warning] = info.warnings
    assert "2 video tracks" in warning and "80 x 48 is read" in warning and "default" in warning


@pytest.mark.parametrize("name", ["a.mkv", "a.ts"])
def test_without_a_mark_the_largest_picture_is_read(name: str, tmp_path: Path) -> None:
    info = probe(write_parts(tmp_path / name, [SMALL, VIDEO]))
    assert (info.width, info.n_frames) == (160, 20)
    [warning] = info.warnings
    assert "track 2, 160 x 96 is read" in warning


def test_nothing_but_a_cover_is_no_video(tmp_path: Path) -> None:
    path = write_parts(tmp_path / "a.mp4", [marked(STILL, Disposition.attached_pic)])
    with pytest.raises(VideoError, match="no picture"):
        probe(path)


def test_a_single_picture_is_a_video_of_one_frame(tmp_path: Path) -> None:
    assert probe(write_parts(tmp_path / "a.mp4", [VIDEO])).n_frames == 20
    assert probe(write_parts(tmp_path / "b.mp4", [Part("libx264", (160, 96), 1)])).n_frames == 1
