"""Frame i is the i-th displayed picture, whatever the container says about time (odd times: ``tests/faults``)."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stvg_core.errors import VideoError
from stvg_core.video import iter_frames, probe, read_frames, sample_indices
from tests.video.painted import read_number, write_painted

NTSC = Fraction(30000, 1001)
UNEVEN = np.cumsum(np.random.default_rng(4).integers(20, 120, 60)).tolist()

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "10 fps": ("a.mp4", {"rate": 10}),
    "25 fps": ("a.mp4", {"rate": 25}),
    "29.97 fps": ("a.mp4", {"rate": NTSC}),
    "mov": ("a.mov", {"rate": 25}),
    "matroska, times rounded to ms": ("a.mkv", {"rate": NTSC}),
    "webm": ("a.webm", {"rate": 25, "codec": "libvpx-vp9"}),
    "avi without presentation times": ("a.avi", {"rate": 25}),
    "one key frame only": ("a.mp4", {"rate": 25, "gop": 1000}),
    "with sound": ("a.mp4", {"rate": 25, "sound": True}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_random_access_gives_the_pictures_asked_for(kind: str, tmp_path: Path) -> None:
    name, options = KINDS[kind]
    info = probe(write_painted(tmp_path / name, 60, **options))
    wanted = np.array([59, 0, 31, 31, 7, 45, 12, 13])
    frames = read_frames(info, wanted)
    assert info.n_frames == 60
    assert [read_number(picture) for picture in frames.pixels] == wanted.tolist()
    assert frames.indices.tolist() == wanted.tolist()


STREAMED: dict[str, tuple[str, dict[str, Any]]] = {
    **{kind: KINDS[kind] for kind in ("29.97 fps", "avi without presentation times")},
    "MPEG-TS": ("a.ts", {"rate": 25}),
    "variable rate": ("a.mp4", {"pts": UNEVEN, "time_base": Fraction(1, 1000)}),
}


@pytest.mark.parametrize("kind", STREAMED)
def test_streaming_gives_every_picture_once_in_order(kind: str, tmp_path: Path) -> None:
    name, options = STREAMED[kind]
    info = probe(write_painted(tmp_path / name, 60, **options))
    assert [(i, read_number(picture)) for i, picture in iter_frames(info)] == [(i, i) for i in range(60)]


@pytest.mark.parametrize("rate", [Fraction(10), Fraction(25), NTSC])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_rate_is_exact_and_seconds_start_at_zero(rate: Fraction, name: str, tmp_path: Path) -> None:
    info = probe(write_painted(tmp_path / name, 40, rate))
    assert Fraction(info.fps_num, info.fps_den) == rate
    assert not info.variable_rate
    assert info.duration_s == pytest.approx(40 / float(rate))
    seconds = read_frames(info, np.arange(40)).seconds
    np.testing.assert_allclose(seconds, np.arange(40) / float(rate), atol=0.001)


def test_shrinking_keeps_the_aspect(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.ts"):
        info = probe(write_painted(tmp_path / name, 12))
        frames = read_frames(info, np.array([3, 11]), max_side=80)
        assert frames.pixels.shape == (2, 48, 80, 3)
        assert [read_number(picture) for picture in frames.pixels] == [3, 11]


def test_indices_outside_the_video_are_refused(tmp_path: Path) -> None:
    info = probe(write_painted(tmp_path / "a.mp4", 5))
    for bad in ([-1], [5]):
        with pytest.raises(IndexError, match="frames 0 to 4 exist"):
            read_frames(info, np.array(bad))


def test_a_file_exchanged_after_the_probe_is_noticed(tmp_path: Path) -> None:
    info = probe(write_painted(tmp_path / "a.mp4", 8))
    write_painted(tmp_path / "a.mp4", 5)
    with pytest.raises(VideoError, match="has changed"):
        read_frames(info, np.array([0]))


@pytest.mark.parametrize(("n", "count"), [(1, 20), (7, 20), (20, 20), (101, 20), (3_600_000, 64)])
def test_samples_are_the_centres_of_equal_segments(n: int, count: int) -> None:
    indices = sample_indices(n, count)
    assert indices.dtype == np.int64
    assert indices.shape == (count,)
    expected = [int(n * (i + 0.5) / count) for i in range(count)]
    assert indices.tolist() == expected


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_a_pause_moves_the_seconds_of_what_follows(name: str, tmp_path: Path) -> None:
    pts = [*range(0, 2000, 100), *range(10_000, 12_000, 100)]
    info = probe(write_painted(tmp_path / name, 40, pts=pts, time_base=Fraction(1, 1000)))
    assert info.variable_rate
    assert info.seconds_of(20) == pytest.approx(10.0, abs=0.001)
    np.testing.assert_allclose(info.seconds(), np.array(pts) / 1000, atol=0.001)
    assert probe(write_painted(tmp_path / f"even-{name}", 10)).times is None
