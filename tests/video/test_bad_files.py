"""What cannot be used is refused with a sentence that says why."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from stvg_core.errors import VideoError
from stvg_core.video import Limits, probe, read_frames
from tests.video.painted import write_painted


def test_still_pictures_are_no_video(tmp_path: Path) -> None:
    from PIL import Image

    for name in ("a.png", "a.jpg", "a.gif"):
        Image.new("RGB", (32, 32)).save(tmp_path / name)
        with pytest.raises(VideoError, match="not a video"):
            probe(tmp_path / name)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/clip.mp4", "file:///etc/passwd", "concat:a|b", "no\0name"])
def test_addresses_are_only_ever_file_names(address: str) -> None:
    with pytest.raises(VideoError):
        probe(address)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="There is no file"):
        probe(tmp_path / "nothing.mp4")
    with pytest.raises(VideoError, match="not a file"):
        probe(tmp_path)


def test_damaged_bytes_in_the_middle_never_raise_anything_else(tmp_path: Path) -> None:
    path = write_painted(tmp_path / "a.mp4", 60)
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat")
    (length,) = struct.unpack(">I", data[at - 4 : at])
    data[at + length // 3 : at + length // 2] = np.random.default_rng(0).bytes(at + length // 2 - at - length // 3)
    path.write_bytes(data)
    info = probe(path)
    frames = read_frames(info, np.arange(info.n_frames))
    assert frames.pixels.shape == (info.n_frames, info.height, info.width, 3)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(max_pixels=100 * 50), "160 x 96"),
        (Limits(max_frames=59), "over 59 pictures"),
        (Limits(max_seconds=1.8), "too long"),
    ],
)
def test_too_much_is_refused_at_the_probe(limits: Limits, words: str, tmp_path: Path) -> None:
    path = write_painted(tmp_path / "a.mp4", 60)
    with pytest.raises(VideoError, match=words):
        probe(path, limits)
