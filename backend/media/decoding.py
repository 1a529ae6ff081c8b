"""Where are videos decoded: in this process, or in others that may be ended?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stvg_core.video.child_ahead import Needs, OpensAhead
    from stvg_core.video.child_processes import DecodingProcesses

Progress = Callable[[float, str], None]


def open_decoding(
    seconds: float, memory_bytes: int, *, idle: int = 1, in_all_s: float = math.inf
) -> DecodingProcesses | None:
    """Decoding processes with these limits (see the settings ``DECODE_...``); None where this process decodes.

    Args:
        in_all_s: for one answer, also where the process moves on towards it.
    """
    if seconds == 0:
        return None
    # Loaded where videos are opened: answering Label Studio needs no decoder.
    from stvg_core.children.child import ChildLimits
    from stvg_core.video.child_processes import DecodingProcesses

    return DecodingProcesses(ChildLimits(seconds, memory_bytes, in_all_s), idle=idle)


def open_ahead(decoding: DecodingProcesses | None, needs: Needs) -> OpensAhead | None:
    """What opens videos in these processes, the next one ahead; None where this process decodes."""
    if decoding is None:
        return None
    from stvg_core.video.child_ahead import OpensAhead

    return OpensAhead(decoding, needs)


@contextmanager
def reporting(decoding: DecodingProcesses | None, progress: Progress) -> Iterator[Progress]:
    """Pictures that arrive are progress too; what ``progress`` raises ends the wait for them.

    Yields:
        What the work itself calls instead of ``progress``.
    """
    if decoding is None:
        yield progress
        return
    last = 0.0, ""

    def report(share: float, stage: str) -> None:
        nonlocal last
        last = share, stage
        progress(share, stage)

    decoding.alive = lambda: progress(*last)
    try:
        yield report
    finally:
        decoding.alive = None
