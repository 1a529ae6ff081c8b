"""The same pictures and arguments give the same file: twice in one process, and in processes that differ in memory."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stvg_core.video.h264 import h264_file

ROOT = Path(__file__).parents[2]
# 426 x 240: an odd number of macroblocks in a row, the last one not full. The last argument is where the file goes.
WRITE = """
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from stvg_core.demo.clips import split_scene, write_clip
from tests.e2e.painted_clip import paint_clip

folder = Path(sys.argv[1])
folder.mkdir()
scene = replace(split_scene("test", 11), n_frames=40)
assert (scene.width, scene.height) == (426, 240)
write_clip(folder / "clip.mp4", scene)
paint_clip(folder / "painted.mp4", Fraction(25))
"""


def digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.glob("*.mp4"))}


def moving(width: int, height: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    ground = rng.integers(60, 140, (height, width, 3)).astype(np.uint8)
    pictures = [ground.copy() for _ in range(30)]
    for number, picture in enumerate(pictures):
        picture[10:40, 2 * number : 2 * number + 25] = (220, 30, 30)
    return pictures


def test_in_other_processes(tmp_path: Path) -> None:
    """With every byte that nobody set filled differently, and with other addresses."""
    for number, filler in enumerate(("0", "85", "201")):
        subprocess.run(
            [sys.executable, "-c", WRITE, str(tmp_path / str(number))],
            env={**os.environ, "PYTHONPATH": str(ROOT), "MALLOC_PERTURB_": filler, "PADDING": "x" * 991 * number},
            cwd=ROOT,
            check=True,
        )
    first = digests(tmp_path / "0")
    assert sorted(first) == ["clip.mp4", "painted.mp4"]
    assert digests(tmp_path / "1") == first == digests(tmp_path / "2")


@pytest.mark.parametrize("size", [(426, 240), (160, 96), (34, 18)])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p"])
@pytest.mark.parametrize("threads", [1, 4])
def test_in_one_process_wherever_the_pictures_lie(
    size: tuple[int, int], pix_fmt: str, threads: int, tmp_path: Path
) -> None:
    for offset in (0, 1, 7):
        with h264_file(tmp_path / f"{offset}.mp4", Fraction(25), size, threads=threads, pix_fmt=pix_fmt) as write:
            for number, picture in enumerate(moving(*size)):
                held = np.empty(picture.nbytes + offset, np.uint8)[offset:].reshape(picture.shape)
                held[:] = picture
                write(held, number)
    assert len(set(digests(tmp_path).values())) == 1


def test_the_encoder_takes_no_routine_that_another_processor_lacks(tmp_path: Path) -> None:
    """x264 says what it uses: on its log, and in the file."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        with (
            av.logging.Capture(local=False) as said,
            h264_file(tmp_path / "a.mp4", Fraction(25), (160, 96)) as write,
        ):
            for number, picture in enumerate(moving(160, 96)):
                write(picture, number)
    finally:
        av.logging.set_level(level)
    (capabilities,) = (text.split(":")[1].split() for _, _, text in said if "cpu capabilities" in text)
    assert set(capabilities) <= {"none!", "MMX2", "SSE2"}
    options = (tmp_path / "a.mp4").read_bytes().split(b"options: ")[1].split(b"\0")[0].decode("latin-1").split()
    assert {"threads=1", "lookahead_threads=1", "mbtree=0"} <= set(options)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p"])
def test_colours_come_back(pix_fmt: str, tmp_path: Path) -> None:
    colours = [(230, 20, 20), (20, 230, 20), (20, 20, 230), (120, 120, 120), (255, 255, 255), (0, 0, 0)]
    with h264_file(tmp_path / "a.mp4", Fraction(25), (64, 48), crf=5, pix_fmt=pix_fmt) as write:
        for number, colour in enumerate(colours):
            write(np.full((48, 64, 3), colour, np.uint8), number)
    with av.open(str(tmp_path / "a.mp4")) as container:
        seen = [frame.to_ndarray(format="rgb24").mean(axis=(0, 1)) for frame in container.decode(video=0)]
    np.testing.assert_allclose(seen, colours, atol=4)
