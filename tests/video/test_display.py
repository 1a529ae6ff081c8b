"""The picture that we read lies as a player shows it, for every matrix that a file can carry."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from stvg_core.errors import VideoError
from stvg_core.video import iter_frames, probe, read_frames
from stvg_core.video.display import orientation_of_matrix
from tests.video.matrices import mapped, matrix, orientation_message, remuxed, write_laid, write_with_messages
from tests.video.painted import HEIGHT, WIDTH, painted, write_painted

EIGHT = {
    "as stored": (1, 0, 0, 1),
    "a quarter clockwise": (0, 1, -1, 0),
    "half a turn": (-1, 0, 0, -1),
    "a quarter back": (0, -1, 1, 0),
    "mirrored left to right": (-1, 0, 0, 1),
    "mirrored top to bottom": (1, 0, 0, -1),
    "transposed": (0, 1, 1, 0),
    "transposed the other way": (0, -1, -1, 0),
}


def close(one: np.ndarray, other: np.ndarray) -> bool:
    """The same picture up to what coding changes."""
    return one.shape == other.shape and np.abs(one.astype(int) - other.astype(int)).mean() < 4


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
@pytest.mark.parametrize("way", EIGHT)
def test_each_of_the_eight_ways_is_read_as_it_is_shown(way: str, name: str, tmp_path: Path) -> None:
    a, b, c, d = EIGHT[way]
    info = probe(write_laid(tmp_path / name, matrix(a, b, c, d)))
    expected = [mapped(painted(number), a, b, c, d) for number in range(6)]
    assert (info.height, info.width) == expected[0].shape[:2]
    assert info.warnings == ()
    for number, picture in zip((5, 0, 3), read_frames(info, np.array([5, 0, 3])).pixels, strict=True):
        assert close(picture, expected[number])
        assert not any(close(picture, mapped(painted(number), *w)) for w in EIGHT.values() if w != (a, b, c, d))
    assert all(close(picture, expected[number]) for number, picture in iter_frames(info))


@pytest.mark.parametrize("scale", [0.25, 0.7, 2])
def test_a_common_scale_changes_nothing(scale: float, tmp_path: Path) -> None:
    info = probe(write_laid(tmp_path / "a.mp4", matrix(0, scale, -scale, 0)))
    assert (info.width, info.height) == (HEIGHT, WIDTH)
    assert close(read_frames(info, np.array([2])).pixels[0], mapped(painted(2), *EIGHT["a quarter clockwise"]))


def test_less_than_a_degree_counts_as_upright(tmp_path: Path) -> None:
    lean = math.radians(0.6)
    turned = matrix(math.cos(lean), math.sin(lean), -math.sin(lean), math.cos(lean))
    info = probe(write_laid(tmp_path / "a.mp4", turned))
    assert close(read_frames(info, np.array([2])).pixels[0], painted(2))


def test_an_empty_matrix_asks_for_nothing(tmp_path: Path) -> None:
    info = probe(write_laid(tmp_path / "a.mp4", [0] * 9))
    assert close(read_frames(info, np.array([2])).pixels[0], painted(2))


@pytest.mark.parametrize(
    ("nine", "words"),
    [
        (matrix(1, 0, 0.3, 1), "shear"),
        (matrix(0, 1, -1, 0.3), "shear"),
        (matrix(math.cos(0.5), math.sin(0.5), -math.sin(0.5), math.cos(0.5)), "odd angle"),
        (matrix(math.cos(0.5), math.sin(0.5), math.sin(0.5), -math.cos(0.5)), "odd angle"),
        (matrix(1, 0, 0, 0), "shear"),
    ],
)
def test_what_cannot_be_laid_upright_is_refused_in_words(nine: list[int], words: str, tmp_path: Path) -> None:
    path = write_laid(tmp_path / "clip.mp4", nine)
    with pytest.raises(VideoError, match=rf"clip.mp4 asks players to .*{words}.* Convert it"):
        probe(path)


def test_perspective_is_refused() -> None:
    nine = matrix(1, 0, 0, 1)
    nine[2] = 1 << 28
    with pytest.raises(VideoError, match="distort"):
        orientation_of_matrix(nine, "clip.mp4")


@pytest.mark.parametrize("turn", [-90, 90, 180])
def test_a_turned_matroska_file(turn: int, tmp_path: Path) -> None:
    info = probe(write_painted(tmp_path / "a.mkv", 6, rotation=turn))
    way = {-90: "a quarter clockwise", 90: "a quarter back", 180: "half a turn"}[turn]
    assert close(read_frames(info, np.array([2])).pixels[0], mapped(painted(2), *EIGHT[way]))


@pytest.mark.parametrize(
    ("message", "way"),
    [({"turn": 90}, "a quarter back"), ({"mirror_x": True}, "mirrored left to right")],
)
@pytest.mark.parametrize("name", ["a.mp4", "a.ts"])
def test_a_message_with_the_pictures_counts_and_is_said(
    message: dict[str, Any], way: str, name: str, tmp_path: Path
) -> None:
    info = probe(write_with_messages(tmp_path / name, [orientation_message(**message)] * 6))
    assert close(read_frames(info, np.array([2])).pixels[0], mapped(painted(2), *EIGHT[way]))
    [warning] = info.warnings
    assert "browsers" in warning


def test_the_containers_matrix_goes_before_the_pictures_message(tmp_path: Path) -> None:
    inner = write_with_messages(tmp_path / "inner.mp4", [orientation_message(turn=90)] * 6)
    path = remuxed(inner, tmp_path / "a.mp4", matrix(*EIGHT["mirrored left to right"]))
    info = probe(path)
    assert close(read_frames(info, np.array([2])).pixels[0], mapped(painted(2), *EIGHT["mirrored left to right"]))
    assert info.warnings == ()


def test_pictures_that_are_laid_in_two_ways_are_refused(tmp_path: Path) -> None:
    path = write_with_messages(
        tmp_path / "a.mp4", [orientation_message(turn=90)] * 4 + [orientation_message(turn=180)] * 4
    )
    info = probe(path)
    with pytest.raises(VideoError, match="in the middle of the video"):
        read_frames(info, np.array([1, 6]))
    with pytest.raises(VideoError, match="in the middle of the video"):
        list(iter_frames(info))


def test_pixels_that_are_not_square_are_kept_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(64, 45)
        for number in range(4):
            frame = av.VideoFrame.from_ndarray(painted(number), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    info = probe(path)
    assert (info.width, info.height) == (WIDTH, HEIGHT)
    assert read_frames(info, np.array([1])).pixels.shape[1:3] == (HEIGHT, WIDTH)
    [warning] = info.warnings
    assert "64:45" in warning and "228 x 96" in warning and "stored 160 x 96" in warning
