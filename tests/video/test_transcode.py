"""Frame i of the copy shows frame i of the original: every picture carries its number."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stvg_core.copies import copy_name, is_copy
from stvg_core.errors import VideoError
from stvg_core.tube import VideoInfo
from stvg_core.video import iter_frames, probe
from stvg_core.video.coding import read_coding
from stvg_core.video.transcode import transcode
from tests.video.matrices import mapped, matrix, orientation_message, write_laid, write_with_messages
from tests.video.painted import painted, read_number, write_painted
from tests.video.test_display import EIGHT, close

COUNT = 40
PAUSE = [*range(0, 2000, 100), *range(10_000, 12_000, 100)]


def write_coded(path: Path, codec: str, options: dict[str, str], b_frames: int) -> Path:
    size = (160, 96)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 10, b_frames
        stream.options = options
        for number in range(COUNT):
            frame = av.VideoFrame.from_ndarray(painted(number, *size), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


X264 = {"preset": "veryfast", "threads": "1"}
OPEN = {"x264-params": "open-gop=1:bframes=2"}
X265 = {"preset": "ultrafast", "x265-params": "log-level=0:pools=1:frame-threads=1:keyint=10:bframes=2"}
KINDS: dict[str, Callable[[Path], Path]] = {
    "AVI, MPEG-4 with B-frames": lambda f: write_coded(f / "a.avi", "mpeg4", {}, 2),
    "AVI, H.264": lambda f: write_coded(f / "a.avi", "libx264", X264, 2),
    "MPEG-TS, open GOP": lambda f: write_coded(f / "a.ts", "libx264", X264 | OPEN, 2),
    "MPEG-TS, MPEG-2": lambda f: write_coded(f / "a.ts", "mpeg2video", {}, 2),
    "MPEG-PS": lambda f: write_coded(f / "a.mpg", "mpeg2video", {}, 2),
    "mkv, HEVC": lambda f: write_coded(f / "a.mkv", "libx265", X265, 2),
    "variable rate": lambda f: write_painted(f / "a.mp4", COUNT, pts=PAUSE, time_base=Fraction(1, 1000)),
    "29.97": lambda f: write_painted(f / "a.mkv", COUNT, Fraction(30000, 1001)),
    "begins late": lambda f: write_painted(
        f / "a.mp4", COUNT, pts=[100 + i for i in range(COUNT)], time_base=Fraction(1, 25)
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_frame_by_frame(kind: str, tmp_path: Path) -> None:
    info = probe(KINDS[kind](tmp_path))
    assert info.n_frames == COUNT
    made = probe(transcode(info, tmp_path / "copy.mp4"))
    assert [read_number(picture) for _, picture in iter_frames(made)] == list(range(COUNT))
    assert (made.n_frames, made.width, made.height, made.variable_rate, made.warnings) == (COUNT, 160, 96, False, ())
    assert Fraction(made.fps_num, made.fps_den) == Fraction(info.fps_num, info.fps_den)
    check_playable(tmp_path / "copy.mp4")


def check_playable(path: Path) -> None:
    """What a browser needs to show frame i at i / rate, and at once."""
    coding = read_coding(path)
    assert (coding.container, coding.codec, coding.pixel_format, coding.start_s) == ("mp4", "h264", "yuv420p", 0.0)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        assert container.streams.video[0].codec_context.has_b_frames == 0
    assert [packet.pts for packet in packets] == [packet.dts for packet in packets] == sorted(p.pts for p in packets)


@pytest.mark.parametrize("way", EIGHT)
def test_the_copy_is_stored_as_the_original_is_shown(way: str, tmp_path: Path) -> None:
    info = probe(write_laid(tmp_path / "a.mp4", matrix(*EIGHT[way])))
    made = probe(transcode(info, tmp_path / "copy.mp4"))
    assert (made.width, made.height) == (info.width, info.height)
    with av.open(str(tmp_path / "copy.mp4")) as container:  # as stored: nothing here turns a picture
        for number, frame in enumerate(container.decode(video=0)):
            assert close(frame.to_ndarray(format="rgb24"), mapped(painted(number), *EIGHT[way]))


def test_a_message_that_browsers_do_not_read_is_baked_in(tmp_path: Path) -> None:
    path = write_with_messages(tmp_path / "a.mp4", [orientation_message(turn=90)] * 6)
    assert read_coding(path).turned_by_message
    made = transcode(probe(path), tmp_path / "copy.mp4")
    assert not read_coding(made).turned_by_message and probe(made).warnings == ()
    assert (probe(made).width, probe(made).height) == (96, 160)


def test_odd_sizes_leave_normalised_boxes_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 81, 47, "yuv444p"
        picture = np.full((47, 81, 3), 60, np.uint8)
        picture[12:35, 20:61] = (225, 30, 30)
        for _ in range(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    made = probe(transcode(probe(path), tmp_path / "copy.mp4"))
    assert (made.width, made.height) == (82, 48)
    shown = next(iter_frames(made))[1].astype(int)
    ys, xs = np.nonzero(shown[..., 0] - shown[..., 1] > 100)
    corners = np.array([xs.min() / 82, ys.min() / 48, (xs.max() + 1) / 82, (ys.max() + 1) / 48])
    np.testing.assert_allclose(corners, [20 / 81, 12 / 47, 61 / 81, 35 / 47], atol=1 / 48)


def test_a_copy_that_differs_is_not_kept(tmp_path: Path) -> None:
    info = probe(write_painted(tmp_path / "a.mkv", 8))
    short = VideoInfo(info.path, info.width, info.height, info.fps_num, info.fps_den, 9, info.duration_s)
    (tmp_path / "more.mkv").write_bytes((tmp_path / "a.mkv").read_bytes())
    with pytest.raises(VideoError, match="cannot be written"):
        transcode(info, tmp_path / "no folder" / "copy.mp4")
    with pytest.raises(VideoError):
        transcode(VideoInfo(str(tmp_path / "gone.mkv"), 160, 96, 25, 1, 9, 0.4), tmp_path / "copy.mp4")
    with pytest.raises(VideoError, match="has changed since"):
        transcode(short, tmp_path / "held.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "more.mkv"]


def test_a_copys_name_says_whose_it_is() -> None:
    name = copy_name("视频 (1)", "ab" * 32)
    assert is_copy(name) and is_copy("/data/local-files/?d=copies/%E8%A7%86-h264-abababababab.mp4")
    assert not is_copy("/data/local-files/?d=clip.mp4") and not is_copy("clip-h264-abababababab.mkv")
