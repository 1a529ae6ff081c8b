"""In which order are a file's pictures shown, by the packets' own times?"""

from __future__ import annotations

import numpy as np

from stvg_core.tube import Array
from stvg_core.video.compact import Compact, Growing, row_type
from stvg_core.video.packets import NO_TIME, Packets

_WAIT = 64  # pictures: of all codecs here no picture waits for more before it is shown


def in_order_of_time(packets: Packets) -> Compact | None:
    """``(N,)`` the packets that are pictures, by their presentation times: not as they are stored.

    None where the times do not tell it: there are none, one is missing, or two are the same.
    """
    order, latest = Growing(), NO_TIME
    rows = times = np.empty(0, np.int64)
    for (first, shown), (_, pts) in zip(packets.shown.blocks(), packets.pts.blocks(), strict=True):
        here = np.flatnonzero(shown == 1)
        rows, times = np.concatenate([rows, first + here]), np.concatenate([times, pts[here]])
        by_time = np.argsort(times)
        rows, times = rows[by_time], times[by_time]
        ready = len(rows) if first + len(shown) == len(packets) else max(len(rows) - _WAIT, 0)
        if ready and not (times[0] > latest and _rise(times[:ready])):
            return _sorted_at_once(packets)
        if ready:
            order.extend(rows[:ready])
            latest = int(times[ready - 1])
        rows, times = rows[ready:], times[ready:]
    found = order.done()
    return found if len(found) else None


def _sorted_at_once(packets: Packets) -> Compact | None:
    """The same for times that are in disorder over long stretches."""
    order = np.asarray(packets.shown.where(1))
    times = packets.pts[order]
    by_time = np.argsort(times)
    times = times[by_time]
    return Compact.of(order[by_time]) if times[0] != NO_TIME and _rise(times) else None


def _rise(times: Array) -> bool:
    return bool((np.diff(times) > 0).all())


def inverse(order: Compact, packets: int) -> Compact:
    """``(packets,)`` the frame of each packet, -1 for none, where ``order`` is the frames' packets."""
    frame_of = np.full(packets, -1, row_type(packets))
    for first, some in order.blocks():
        frame_of[some] = np.arange(first, first + len(some))
    return Compact.of(frame_of)


def each_its_own(order: Compact, packets: int) -> bool:
    """Has each of the frames a packet, and one that no other has?"""
    taken = np.zeros(packets, np.bool_)
    for _, some in order.blocks():
        if some.min() < 0 or some.max() >= packets:
            return False
        taken[some] = True
    return int(np.count_nonzero(taken)) == len(order)
