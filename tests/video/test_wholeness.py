"""A cut file is flagged, a whole one never is."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stvg_core.errors import VideoError
from stvg_core.video import Limits, probe
from stvg_core.video.wholeness import END_MISSING, end_is_missing
from tests.video.painted import painted

PLACES = 20


@dataclass(frozen=True)
class Muxing:
    name: str
    codec: str = "libx264"
    b_frames: int = 2
    sound: bool = False
    options: dict[str, str] = field(default_factory=dict)
    align: int = 1
    known: int = PLACES  # of so many places at least, a cut can be known


CUT = [
    Muxing("a.ts"),
    Muxing("a.ts", b_frames=0),
    Muxing("a.ts", sound=True),
    Muxing("a.ts", codec="mpeg2video"),
    Muxing("a.ts", options={"omit_video_pes_length": "0"}),
    Muxing("a.ts", options={"omit_video_pes_length": "0"}, align=188, known=16),
    Muxing("a.ts", align=188, known=16),  # between two pictures nobody can know
    Muxing("a.ts", codec="mpeg2video", align=188, known=10),
    Muxing("a.m2ts", options={"mpegts_m2ts_mode": "1"}),
    Muxing("a.mpg", codec="mpeg2video"),
    Muxing("a.mpg", sound=True, codec="mpeg2video"),
    Muxing("a.mpg", align=2048, known=16),
    Muxing("a.mpg", codec="mpeg2video", align=2048, known=10),
    Muxing("a.mkv"),
    Muxing("a.mkv", sound=True, align=4096),
    Muxing("a.mkv", options={"live": "1"}),
    Muxing("a.webm", codec="libvpx", b_frames=0),
    Muxing("a.avi", codec="mpeg4"),
    Muxing("a.flv", codec="flv1", b_frames=0),
    Muxing("a.flv"),
    Muxing("a.wmv", codec="wmv2", b_frames=0),
    Muxing("a.mp4", options={"movflags": "frag_keyframe+empty_moov"}),
]


def write(folder: Path, muxing: Muxing, n_frames: int = 50, seed: int = 0) -> Path:
    """Painted pictures with noise below, so that a picture fills many packets."""
    path, noise = folder / muxing.name, np.random.default_rng(seed)
    with av.open(str(path), "w", options=muxing.options) as container:
        stream = container.add_stream(muxing.codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 12, muxing.b_frames
        if muxing.codec == "libx264":
            stream.options = {"preset": "ultrafast", "bf": str(muxing.b_frames), "threads": "1"}
        voice = container.add_stream("aac" if path.suffix == ".mkv" else "mp2", rate=48000) if muxing.sound else None
        resampler = av.AudioResampler("fltp" if path.suffix == ".mkv" else "s16", "stereo", 48000, frame_size=1152)
        for number in range(n_frames):
            picture = painted(number)
            picture[40:90, :110] = noise.integers(0, 255, (50, 110, 3))
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
            if voice is not None:
                sound = noise.normal(0, 3000, (1, 2 * 1920)).astype(np.int16)
                heard = av.AudioFrame.from_ndarray(sound, format="s16", layout="stereo")
                heard.sample_rate, heard.pts = 48000, 1920 * number
                for part in resampler.resample(heard):
                    container.mux(voice.encode(part))
        container.mux(stream.encode(None))
        if voice is not None:
            container.mux(voice.encode(None))
    return path


@pytest.mark.parametrize("muxing", CUT, ids=lambda m: f"{m.name}-{m.codec}-{m.align}-{'-'.join(m.options)}{m.sound}")
def test_a_cut_is_flagged_and_the_whole_file_is_not(muxing: Muxing, tmp_path: Path) -> None:
    path = write(tmp_path, muxing)
    assert probe(path).warnings == ()
    data, flagged = path.read_bytes(), 0
    for share in np.linspace(0.35, 0.99, PLACES):
        at = int(len(data) * share)
        path.write_bytes(data[: at - at % muxing.align])
        try:
            flagged += END_MISSING in probe(path).warnings
        except VideoError as error:
            flagged += "cut off" in str(error)
    assert flagged >= muxing.known


@pytest.mark.parametrize("muxing", [m for m in CUT if m.align == 1], ids=lambda m: f"{m.name}-{m.codec}")
def test_whole_files_of_many_lengths_are_not_flagged(muxing: Muxing, tmp_path: Path) -> None:
    for n_frames in (1, 3, 14):
        path = write(tmp_path, muxing, n_frames, seed=n_frames)
        assert not end_is_missing(path, Limits()), n_frames


def test_a_recording_whose_size_was_never_written_is_whole(tmp_path: Path) -> None:
    """What goes into a pipe knows no sizes: a zero is no cut."""
    path = write(tmp_path, Muxing("a.avi", codec="mpeg4", b_frames=0))
    data = bytearray(path.read_bytes())
    data[4:8] = bytes(4)
    path.write_bytes(data)
    assert not end_is_missing(path, Limits())


def test_bytes_behind_the_end_are_no_cut(tmp_path: Path) -> None:
    """Players pass them over: a tag or padding at the end of an avi or mkv."""
    for muxing in (Muxing("a.avi", codec="mpeg4"), Muxing("a.mkv")):
        path = write(tmp_path, muxing)
        path.write_bytes(path.read_bytes() + b"\0" * 64)
        assert not end_is_missing(path, Limits())
