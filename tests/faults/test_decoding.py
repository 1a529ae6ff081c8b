"""Videos whose times are odd, that are very long or that never end: the right pictures, or a failure in words."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from backend.db.engine import Database
from backend.media.decoding import reporting
from stvg_core.children.child import ChildLimits
from stvg_core.errors import VideoError
from stvg_core.locating.attention import AttentionLocator
from stvg_core.open_video import OpenedVideo
from stvg_core.proposals.dense import plan
from stvg_core.proposals.embedded_proposer import EmbeddedProposer
from stvg_core.proposals.sparse import spread
from stvg_core.settings import GroundingSettings
from stvg_core.stopwatch import Stopwatch
from stvg_core.tube import Frames, Track, VideoInfo
from stvg_core.video import VideoReader, probe, read_frames
from stvg_core.video.child_processes import DecodingProcesses
from stvg_core.video.compact import Compact
from stvg_core.video.display import STORED
from stvg_core.video.packets import Packets
from stvg_core.video.timeline import Timeline
from stvg_core.video.tracks import Choice
from tests.faults.fault import fault
from tests.faults.patience import StillWaiting, patience
from tests.faults.without import nothing, yes
from tests.jobs.conftest import Loop, make_loop
from tests.video.painted import HEIGHT, WIDTH, read_number, write_painted

FAULTS = (16, 17, 18, 19)

NTSC = Fraction(30000, 1001)
UNEVEN = np.cumsum(np.random.default_rng(4).integers(20, 120, 60)).tolist()
LATE = [100 + number for number in range(60)]
ODD_TIMES: dict[str, tuple[str, dict[str, Any]]] = {
    "start offset": ("a.mp4", {"rate": 25, "pts": LATE, "time_base": Fraction(1, 25)}),
    "start offset in MPEG-TS": ("a.ts", {"rate": 25, "pts": LATE, "time_base": Fraction(1, 25)}),
    "variable rate": ("a.mp4", {"pts": UNEVEN, "time_base": Fraction(1, 1000)}),
    "variable rate in Matroska": ("a.mkv", {"pts": UNEVEN, "time_base": Fraction(1, 1000)}),
    "MPEG-TS": ("a.ts", {"rate": 25}),
    "MPEG-TS 29.97": ("a.ts", {"rate": NTSC}),
}


def as_stored(packets: Packets) -> Compact:
    """The pictures in the order of the file, which is that of decoding."""
    return packets.shown.where(1)


@pytest.mark.parametrize("kind", ODD_TIMES)
@fault(
    16,
    guard="stvg_core.video.timeline.in_order_of_time",
    without=as_stored,
    also={"stvg_core.video.timeline._by_decoding": lambda path, limits, packets: (0, as_stored(packets))},
)
def test_a_frame_is_found_by_its_timestamp(kind: str, tmp_path: Path) -> None:
    name, options = ODD_TIMES[kind]
    info = probe(write_painted(tmp_path / name, 60, **options))
    wanted = np.array([59, 0, 31, 31, 7, 45, 12, 13])
    frames = read_frames(info, wanted)
    assert info.n_frames == 60
    assert [read_number(picture) for picture in frames.pixels] == wanted.tolist()
    assert frames.indices.tolist() == wanted.tolist()


@pytest.mark.parametrize("kind", ["start offset", "start offset in MPEG-TS", "MPEG-TS"])
@fault(16, guard="stvg_core.video.timeline.Timeline._from_first", without=lambda line, pts: pts * line.tick_s)
def test_seconds_count_from_the_first_frame_wherever_it_begins(kind: str, tmp_path: Path) -> None:
    name, options = ODD_TIMES[kind]
    info = probe(write_painted(tmp_path / name, 60, **options))
    np.testing.assert_allclose(read_frames(info, np.arange(60)).seconds, np.arange(60) / 25, atol=0.001)
    assert (info.fps, info.variable_rate) == (25, False)
    assert info.duration_s == pytest.approx(60 / 25)


def at_an_even_rate(timeline: Timeline, claimed: list[Fraction]) -> tuple[Fraction, bool, list[str]]:
    """What the header claims, believed."""
    return (claimed or [Fraction(25)])[0], True, []


@pytest.mark.parametrize("kind", ["variable rate", "variable rate in Matroska"])
@fault(16, guard="stvg_core.video.rates.frame_rate", without=at_an_even_rate)
def test_a_variable_rate_is_said_and_the_files_own_times_are_kept(kind: str, tmp_path: Path) -> None:
    name, options = ODD_TIMES[kind]
    info = probe(write_painted(tmp_path / name, 60, **options))
    times = (np.array(UNEVEN) - UNEVEN[0]) / 1000
    assert info.variable_rate
    assert info.fps == pytest.approx(59 / times[-1], rel=1e-3)
    np.testing.assert_allclose(info.seconds(), times, atol=1e-6)
    np.testing.assert_allclose(read_frames(info, np.arange(60)).seconds, times, atol=1e-6)


@pytest.mark.parametrize(
    ("turn", "corner"),
    [
        (-90, (0.12, 0.88)),  # a quarter clockwise: the lower right corner goes to the lower left
        (90, (0.88, 0.12)),
        (180, (0.12, 0.12)),
    ],
)
@fault(
    16,
    guard="stvg_core.video.display.orientation_of",
    without=lambda frame, name: STORED,
    also={"stvg_core.video.shaping.orientation_of": lambda frame, name: STORED},
)
def test_rotation_metadata_turns_the_picture(turn: int, corner: tuple[float, float], tmp_path: Path) -> None:
    info = probe(write_painted(tmp_path / "a.mp4", 20, rotation=turn))
    upright = (WIDTH, HEIGHT) if turn == 180 else (HEIGHT, WIDTH)
    assert (info.width, info.height) == upright
    with VideoReader(info) as reader:
        frames = reader.read(np.array([5, 19]))
    assert frames.pixels.shape[1:3] == (info.height, info.width)
    unturned = [read_number(np.rot90(picture, -turn // 90)) for picture in frames.pixels]
    assert unturned == [5, 19]
    picture = frames.pixels[0].astype(int)
    ys, xs = np.nonzero(picture[..., 0] - picture[..., 1] > 100)
    assert (xs.mean() / info.width, ys.mean() / info.height) == pytest.approx(corner, abs=0.02)


def no_durations(folder: Path) -> Path:
    """An mp4 whose table of times says that every picture lasts for zero ticks."""
    path = write_painted(folder / "a.mp4", 20, codec="mpeg4")
    data = bytearray(path.read_bytes())
    at = data.index(b"stts")
    entries = int.from_bytes(data[at + 8 : at + 12])
    for entry in range(entries):
        data[at + 16 + 8 * entry : at + 20 + 8 * entry] = bytes(4)
    path.write_bytes(data)
    return path


def whole(path: Path, n_frames: int) -> None:
    """A valid result: numbers that are numbers, and the right pictures."""
    info = probe(path)
    assert info.n_frames == n_frames
    assert np.isfinite([info.fps, info.duration_s]).all() and info.fps > 0 and info.duration_s > 0
    last = n_frames - 1
    frames = read_frames(info, np.array([last, 0, last]))
    assert [read_number(picture) for picture in frames.pixels] == [last, 0, last]
    assert np.isfinite(frames.seconds).all() and info.end_of(last) > info.seconds_of(last) >= 0


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi"])
@fault(17, guard="stvg_core.video.rates.tells_rate", without=yes, by=ZeroDivisionError)
def test_one_picture_is_a_video(name: str, tmp_path: Path) -> None:
    whole(write_painted(tmp_path / name, 1, 25), 1)


@fault(
    17,
    guard="stvg_core.video.rates.credible",
    without=lambda claimed: [Fraction(rate or 0) for rate in claimed],
    by=ZeroDivisionError,
)
def test_a_header_without_a_rate_is_not_believed(tmp_path: Path) -> None:
    whole(write_painted(tmp_path / "a.ts", 1, 25), 1)  # FFmpeg finds no average over one picture


@fault(17, guard="stvg_core.video.timeline.are_times", without=yes, by=ZeroDivisionError)
def test_pictures_that_last_for_zero_ticks_are_counted(tmp_path: Path) -> None:
    whole(no_durations(tmp_path), 20)


def write_tone(path: Path) -> Path:
    """Sound only."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), dtype=np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
@fault(
    17,
    guard="stvg_core.video.container._choice",
    without=lambda path, container: Choice(0),
    by=(AttributeError, TypeError, ValueError),
)
def test_sound_alone_is_said(name: str, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no picture"):
        probe(write_tone(tmp_path / name))


TEN_HOURS_S = 36_000


def described(n_frames: int) -> VideoInfo:
    return VideoInfo("a.mp4", WIDTH, HEIGHT, 25, 1, n_frames, n_frames / 25)


class Counted:
    """An open video of ten hours that counts the pictures that are asked for."""

    info = described(TEN_HOURS_S * 25)

    def __init__(self, path: str | Path) -> None:
        self.asked = 0

    def expect(self, indices: list[int]) -> None:
        self.asked += len(indices)

    def read(self, indices: np.ndarray, *, max_side: int | None = None) -> Frames:
        self.asked += len(indices)
        return Frames(np.zeros((len(indices), 1, 1, 3), np.uint8), indices, indices / 25)

    def close(self) -> None:
        pass


def every(n_frames: int, count: int) -> np.ndarray:
    """Every frame, whatever the budget."""
    return np.arange(n_frames)


@fault(18, guard="stvg_core.locating.attention.sample_indices", without=every, by=ValueError)
@fault(18, guard="stvg_core.proposals.embedded_proposer.sample_indices", without=every)
def test_ten_hours_cost_as_many_pictures_as_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stvg_core.locating.attention.Session", nothing)
    model: Any = SimpleNamespace(family=SimpleNamespace(frames_per_slot=2))
    settings = GroundingSettings(n_slots=20)
    opened = OpenedVideo(
        AttentionLocator(model), EmbeddedProposer(), "a.mp4", settings, Stopwatch(), open_video=Counted
    )  # fmt: skip
    slots = opened.view.slots
    assert opened.video.asked == 64 + 40
    assert slots[0] < 25_000 and slots[-1] > 875_000, "they are spread over all of it"


@fault(18, guard="stvg_core.proposals.dense.MAX_FRAMES", without=10**9)
@fault(
    18,
    guard="tests.faults.test_decoding.spread",
    without=lambda n_frames, step, at_most: np.arange(0, n_frames, step),
)
def test_the_detector_and_the_tracker_have_a_budget_too() -> None:
    n_frames = Counted.info.n_frames
    assert len(spread(n_frames, 10, 128)) == 128
    there = Track(np.array([0, n_frames - 1]), np.tile([[0.1, 0.1, 0.4, 0.4]], (2, 1)))
    dense = plan(there, 0, n_frames - 1, n_frames, 25.0)
    assert dense is not None and len(dense.frames) <= 1500 + 1


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture every ten seconds, for ten hours; pictures count up to 1023 and begin again."""
    path = tmp_path_factory.mktemp("long") / "a.mp4"
    pts = range(0, TEN_HOURS_S, 10)
    return write_painted(path, len(pts), rate=1, pts=pts, time_base=Fraction(1), gop=250)


def keep_all(kept: Any, frame: int, picture: Any) -> None:
    kept._passed[frame] = picture
    kept.bytes += WIDTH * HEIGHT * 3 // 2


@fault(18, guard="stvg_core.video.kept.KeptPictures.put", without=keep_all)
def test_reading_ten_hours_through_needs_no_more_memory_than_was_allowed(long_clip: Path) -> None:
    budget = 20 * WIDTH * HEIGHT * 2
    with VideoReader(long_clip, kept_bytes=budget) as reader:
        assert reader.info.duration_s == pytest.approx(TEN_HOURS_S, rel=1e-3) and reader.info.n_frames == 3600
        reader.expect(range(0, 3600, 9))
        most = 0
        for index, picture in reader.stream():
            assert read_number(picture) == index % 1024
            most = max(most, reader._kept.bytes)
    assert most <= budget


@pytest.fixture
def loop(sqlite_database: Database, tmp_path: Path) -> Loop:
    return make_loop(sqlite_database, tmp_path)


LIMITS = ChildLimits(0.5)
NEVER = float("inf")


@fault(19, guard="stvg_core.children.child.Child._deadline", without=lambda child: NEVER, by=StillWaiting)
def test_a_decoder_that_hangs_is_ended_with_a_reason(tmp_path: Path) -> None:
    clip = write_painted(tmp_path / "a.mp4", 5)
    processes = DecodingProcesses(LIMITS, idle=0, reader="tests.video.hostile:hangs")
    processes.alive = patience(12)
    with pytest.raises(VideoError, match=r"did not answer for 0.5 s at the beginning of a.mp4: the file may"):
        processes.open(clip)
    # Before the time was over its process may not even have begun; then there is none to look for.
    if (told := clip.with_suffix(".pid")).exists():
        assert not Path(f"/proc/{told.read_text()}").exists()


@fault(19, guard="stvg_core.children.child.Child._deadline", without=lambda child: NEVER, by=StillWaiting)
def test_a_decoder_that_hangs_in_the_middle_says_where(tmp_path: Path) -> None:
    clip = write_painted(tmp_path / "a.mp4", 20)
    processes = DecodingProcesses(ChildLimits(600), idle=0, reader="tests.video.hostile:HangsAtFrame3")
    with processes.open(clip) as reader:
        assert len(reader.read(np.array([1, 2]))) == 2
        assert reader._child is not None
        pid, reader._child._limits, processes.alive = reader._child.pid, LIMITS, patience(12)
        with pytest.raises(VideoError, match=r"did not answer for 0.5 s at frame 3 of a.mp4"):
            reader.read(np.array([3, 5]))
        assert not Path(f"/proc/{pid}").exists()


@fault(19, guard="stvg_core.children.child.Child._deadline", without=lambda child: NEVER)
def test_the_job_of_a_decoder_that_hangs_fails_and_the_next_is_done(loop: Loop) -> None:
    write_painted(loop.videos / "a.mp4", 5)
    decoding, ground = DecodingProcesses(LIMITS, idle=0, reader="tests.video.hostile:hangs"), loop.engine.ground
    look = patience(12)

    def decode(path: Path, query: str, progress: Callable[[float, str], None]) -> Any:
        def seen(share: float, stage: str) -> None:
            progress(share, stage)
            look()

        if path.name == "a.mp4":
            with reporting(decoding, seen) as report:
                report(0.1, "decode")
                decoding.open(path)
        return ground(path, query, progress)

    loop.engine.ground = decode  # type: ignore[method-assign]
    loop.ask(loop.task(1), loop.task(2, video="b.mp4"))
    assert loop.worker.drain() == 2
    job = loop.job(1)
    assert (job.state, job.leased_by) == ("failed", None), "nobody holds it any more"
    assert "did not answer for 0.5 s at the beginning of a.mp4" in str(job.reason)
    assert loop.job(2).state == "done"
