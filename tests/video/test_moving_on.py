"""Who reads a long file is not ended as long as it moves on, and who stops is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stvg_core.children import child
from stvg_core.children.child import ChildLimits
from stvg_core.children.wire import Wire
from stvg_core.errors import VideoError
from stvg_core.video import VideoReader
from stvg_core.video.beat import DECODED, PACKETS, heard_by
from stvg_core.video.child_processes import DecodingProcesses
from stvg_core.video.container import Limits, open_container
from stvg_core.video.packets import read_packets
from stvg_core.video.timeline import read_timeline
from tests.video.generated import make
from tests.video.painted import write_painted
from tests.video.recipes import Recipe

LIMIT = 100.0
WORDS = 3


class SlowClock:
    """Each word of the child takes nine tenths of the limit to come, by a clock that goes with the words alone.

    Args:
        words: how many come; then time goes on without any. None: as many as are sent.
        pauses: whether somebody looks in between as well, when none has come yet.
    """

    def __init__(self, words: int | None = None, *, pauses: bool = True) -> None:
        self.now, self.heard, self._left, self._pauses = 0.0, 0, words, pauses
        self._waiting: list[dict[str, Any]] = []

    def monotonic(self) -> float:
        return self.now

    def receive(self, wire: Wire, timeout_s: float | None = None) -> dict[str, Any] | None:
        if self._waiting:
            self.heard += 1
            return self._waiting.pop()
        self.now += 0.9 * LIMIT
        if self._left != 0:
            message = really_receive(wire)
            assert message is not None
            self._waiting.append(message)
            self._left = None if self._left is None else self._left - 1
        return None if self._pauses else self.receive(wire)


really_receive = Wire.receive


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_painted(tmp_path / "a.mp4", 5)


def slowly(monkeypatch: pytest.MonkeyPatch, clock: SlowClock) -> SlowClock:
    monkeypatch.setattr(child, "time", clock)
    monkeypatch.setattr(Wire, "receive", lambda wire, timeout_s=None: clock.receive(wire, timeout_s))
    return clock


def hostile(name: str, limits: ChildLimits) -> DecodingProcesses:
    return DecodingProcesses(limits, idle=0, reader=f"tests.video.hostile:{name}")


def test_a_reader_that_goes_on_moving_is_not_ended(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processes, looks = hostile("moves_on_ten_times", ChildLimits(LIMIT)), []
    processes.alive = lambda: looks.append(1)
    clock = slowly(monkeypatch, SlowClock())
    with processes.open(clip) as reader:
        assert reader.info.n_frames == 5
        assert clock.heard == 11 and clock.now > 9 * LIMIT
        assert len(looks) >= 11, "the work is asked each time whether it is still wanted"


def test_a_reader_that_stops_moving_is_ended(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = slowly(monkeypatch, SlowClock(WORDS))
    with pytest.raises(VideoError, match=r"did not answer for 100 s at the beginning of a.mp4"):
        hostile("moves_on_three_times", ChildLimits(LIMIT)).open(clip)
    assert clock.heard == WORDS and clock.now < (WORDS + 3) * LIMIT


@pytest.mark.parametrize("pauses", [True, False])
def test_where_a_person_waits_moving_on_is_not_enough(
    pauses: bool, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = slowly(monkeypatch, SlowClock(pauses=pauses))
    with pytest.raises(VideoError, match=r"needed more than 250 s in all at the beginning of a.mp4"):
        hostile("moves_on_ten_times", ChildLimits(LIMIT, in_all_s=250)).open(clip)
    assert clock.heard <= 3


def test_what_stops_the_work_stops_a_reader_that_moves_on(clip: Path) -> None:
    class InVain(Exception):
        pass

    def give_up() -> None:
        raise InVain

    processes = hostile("moves_on_three_times", ChildLimits(600))
    processes.alive = give_up
    with pytest.raises(InVain):
        processes.open(clip)


def test_reading_and_decoding_packets_moves_on(tmp_path: Path) -> None:
    count, heard = 3 * PACKETS, []
    path = write_painted(tmp_path / "long.mp4", count, gop=count)
    container, stream = open_container(path, Limits())
    with container, heard_by(lambda: heard.append(1)):
        read_packets(container, stream, path, Limits())
    assert len(heard) == 3
    with VideoReader(path) as reader, heard_by(lambda: heard.append(1)):
        reader.read(np.array([count - 1]))
    assert len(heard) - 3 == count // DECODED, "there is one place to begin with"


def test_counting_pictures_moves_on_too(tmp_path: Path) -> None:
    joined = make(
        Recipe("libx264", ".ts", 48, 12, 2, {"preset": "ultrafast", "threads": "1"}, change="joined"), tmp_path
    )
    heard: list[int] = []
    with heard_by(lambda: heard.append(1)):
        timeline = read_timeline(joined.path, Limits())
    assert timeline.packets.decoding_goes_back() and len(heard) >= len(timeline.packets) // DECODED


def test_the_child_hands_them_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = slowly(monkeypatch, SlowClock())
    with DecodingProcesses(ChildLimits(LIMIT), idle=0).open(write_painted(tmp_path / "a.mp4", 2 * PACKETS)) as reader:
        assert reader.info.n_frames == 2 * PACKETS and clock.heard >= 3
