"""Columns of a long video: the same numbers in fewer bytes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stvg_core.tube import Array
from stvg_core.video.compact import BLOCK, Compact, Growing
from stvg_core.video.container import Limits
from stvg_core.video.order import each_its_own, in_order_of_time, inverse
from stvg_core.video.packets import NO_TIME, Packets, read_packets

N = 2 * BLOCK + 5
ROWS = np.arange(N)
NINTH = ROWS % 9 == 0
LARGE = 2**62
B_FRAMES = (ROWS + np.array([0, 2, -1, -1])[ROWS % 4]) * 512

COLUMNS: dict[str, Array] = {
    "none": ROWS[:0],
    "one": np.array([7]),
    "two": np.array([7, -3]),
    "one block exactly": ROWS[:BLOCK] * 3,
    "one row more": ROWS[: BLOCK + 1] * 3,
    "a constant": np.full(N, -1),
    "even times": 1001 * ROWS + 12345,
    "falling": -40 * ROWS,
    "times rounded to ms": np.round(ROWS * 1000 / 29.97).astype(np.int64),
    "times of B-frames": B_FRAMES,
    "flags": NINTH.astype(np.int64),
    "flags beside a common one": np.where(NINTH, 2, 0),
    "three flags": np.where(NINTH, 3, ROWS % 2),
    "a flag in the last row": (ROWS == BLOCK - 1).astype(np.int64),
    "sizes": np.where(NINTH, 90_000, 700) + ROWS * ROWS % 613,
    "a step": np.where(ROWS < 100, 0, 1 << 40),
    "missing times": np.where(NINTH, NO_TIME, 40 * ROWS),
    "all times missing": np.full(N, NO_TIME),
    "as large as can be": np.where(NINTH, 2**63 - 1, NO_TIME),
    "around the border of the packed": np.where(NINTH, (1 << 48) - 1, 1 - (1 << 48)),
    "far from zero": LARGE + ROWS,
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_gives_back_what_went_in(name: str) -> None:
    rows = COLUMNS[name]
    column = Compact.of(rows)
    assert len(column) == len(rows)
    assert np.array_equal(np.asarray(column), rows)
    assert [column[row] for row in range(0, len(rows), 11)] == rows[::11].tolist()
    assert np.array_equal(column[::-1], rows[::-1])
    assert np.array_equal(column[np.flatnonzero(NINTH[: len(rows)])], rows[NINTH[: len(rows)]])
    assert np.array_equal(np.asarray(column.part(1, len(rows) - 1)), rows[1 : len(rows) - 1])
    assert column.rises() == bool((rows[1:] > rows[:-1]).all())
    for value in (0, -1, 2, NO_TIME):
        assert column.count(value) == np.count_nonzero(rows == value)
        assert np.array_equal(np.asarray(column.where(value)), np.flatnonzero(rows == value))
    if column.rises() and len(rows):
        for value in (rows[0] - 1, rows[0], rows[-1] - 1, rows[-1], rows[-1] + 1, rows[len(rows) // 2] + 1):
            assert column.find(int(value)) == np.searchsorted(rows, value)
    growing = Growing()
    for number, row in enumerate(rows.tolist()):
        growing.append(row)
        if number % 3000 == 0:
            growing.pack()
    assert np.array_equal(np.asarray(growing.done()), rows)
    assert np.array_equal(np.asarray(Compact.one_by_one(iter(rows.tolist()))), rows)


def test_rows_that_are_not_there_are_refused() -> None:
    column = Compact.of(ROWS)
    for row in (-1, N):
        with pytest.raises(IndexError):
            column[row]
        with pytest.raises(IndexError):
            column[np.array([0, row])]


def ordered(pts: Array, shown: Array | None = None) -> Array | None:
    packets: Any = SimpleNamespace(pts=Compact.of(pts), shown=Compact.of(np.ones(N) if shown is None else shown))
    order = in_order_of_time(Sized(packets.pts, packets.shown))  # type: ignore[arg-type]
    return None if order is None else np.asarray(order)


@dataclass(frozen=True)
class Sized:
    """Packets with the two columns that the order needs."""

    pts: Compact
    shown: Compact

    def __len__(self) -> int:
        return len(self.pts)


SHUFFLED = ROWS * 4099 % N
"""Every number below N once, far from its place."""


@pytest.mark.parametrize(
    "pts",
    [40 * ROWS, B_FRAMES, SHUFFLED, N - ROWS, np.where(ROWS == N - 1, -5, ROWS), np.where(ROWS == 0, N, ROWS)],
    ids=["as stored", "B-frames", "shuffled", "backwards", "the last one first", "the first one last"],
)
def test_pictures_are_sorted_by_their_times_however_far_they_lie_from_their_places(pts: Array) -> None:
    assert np.array_equal(ordered(pts), np.argsort(pts))
    hidden = np.where(NINTH, 0, 1)
    shown = np.flatnonzero(hidden)
    found = ordered(pts, hidden)
    assert np.array_equal(found, shown[np.argsort(pts[shown])])
    assert found is not None
    back = np.asarray(inverse(Compact.of(found), N))
    assert np.array_equal(back[found], np.arange(len(found))) and (back[NINTH] == -1).all()


@pytest.mark.parametrize("at", [1, BLOCK - 1, BLOCK, N - 1])
def test_times_that_are_missing_or_there_twice_tell_no_order(at: int) -> None:
    for pts in (ROWS, B_FRAMES, SHUFFLED):
        for wrong in (NO_TIME, pts[at - 1], pts[0], pts[N // 2 + 1]):
            assert ordered(np.where(at == ROWS, wrong, pts)) is None
        hidden = np.where(at == ROWS, 0, 1)
        assert ordered(np.where(at == ROWS, NO_TIME, pts), hidden) is not None, "only pictures need times"
    assert ordered(ROWS, np.zeros(N)) is None


def test_frames_that_share_a_packet_or_have_none_are_told() -> None:
    assert each_its_own(Compact.of(SHUFFLED), N)
    for wrong in (-1, N, SHUFFLED[0]):
        assert not each_its_own(Compact.of(np.where(ROWS == N - 1, wrong, SHUFFLED)), N)


def decoding_times(dts: Array) -> bool:
    column = Compact.of(dts)
    return Packets(*[column] * 9, 0, True, True, 0).decoding_goes_back()  # type: ignore[call-arg, arg-type]


def test_decoding_times_that_go_back_are_seen_across_missing_ones() -> None:
    assert not decoding_times(40 * ROWS // 80) and not decoding_times(np.where(NINTH, NO_TIME, ROWS))
    for at in (1, BLOCK, N - 1):
        assert decoding_times(np.where(at == ROWS, -1, ROWS))


@dataclass
class Packet:
    """As PyAV gives them: an H.264 recording with B-frames, sound between the pictures, and a key frame a second."""

    number: int
    pts: int
    dts: int
    pos: int
    size: int
    is_keyframe: bool
    is_discard: bool = False
    is_corrupt: bool = False
    duration: int = 512

    def __bytes__(self) -> bytes:
        return b"\0\0\0\1" + bytes([0x65 if self.is_keyframe else 0x41 if self.number % 3 == 0 else 0x01, 0x88, 0x84])


def recording(count: int) -> Iterator[Packet]:
    place, swapped = 48, (0, 2, -1, -1)
    for number in range(count):
        key = number % 32 == 0
        size = 120_000 if key else 4000 + number * number % 9973
        pts = number + swapped[number % 4] if number % 32 else number
        yield Packet(number, 512 * pts + 1024, 512 * number, place, size, key)
        place += size + 700 + number % 5


def test_a_long_video_takes_less_than_20_bytes_per_frame_at_any_time() -> None:
    count = 40_000
    context = SimpleNamespace(codec=SimpleNamespace(name="h264"), extradata=None, name="h264", options={})
    stream = SimpleNamespace(codec_context=context, time_base=Fraction(1, 15360))
    container = SimpleNamespace(demux=lambda stream: recording(count))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        packets = read_packets(container, stream, Path("a.mp4"), Limits())
        order = in_order_of_time(replace(packets, shown=Compact.of(np.ones(count))))
        assert order is not None
        frame_of = inverse(order, count)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert len(packets) == len(order) == len(frame_of) == count
    assert peak < 20 * count + 9 * 8 * BLOCK * 2, "beside what is packed, the blocks in work"
