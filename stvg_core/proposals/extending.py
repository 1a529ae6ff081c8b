"""A box on one frame, and frames before or behind it: where is that object there?

Not when it acts, only where it is. What the proposer loses is held, and said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stvg_core.errors import QueryError
from stvg_core.tube import Tube, VideoInfo

if TYPE_CHECKING:
    from stvg_core.proposals.base import Proposer
    from stvg_core.proposals.following import DrawnBox
    from stvg_core.video import Pictures


@dataclass(frozen=True)
class Extended:
    """Boxes on the frames that were wanted.

    Attributes:
        video: what the probe says of the file.
        tube: one box per wanted frame.
        seen: first and last of the frames, 0-based, on which the object was followed without a break from the given
            box on; further away the last of its boxes is held. Empty (first > last) where it was lost at once.
    """

    video: VideoInfo
    tube: Tube
    seen: tuple[int, int]


def extend(proposer: Proposer, video: Pictures, drawn: DrawnBox, first: int, last: int) -> Extended:
    """Follow the box on ``drawn.frame`` over frames ``first`` to ``last``, both included.

    Raises:
        QueryError: the video has no such frames.
    """
    info = video.info
    drawn.check(info)
    if not 0 <= first <= last < info.n_frames:
        raise QueryError(f"Frames {first} to {last} were asked for; the video has frames 0 to {info.n_frames - 1}.")
    track = proposer.follow(video, drawn)
    seen = max(first, int(track.frames[0])), min(last, int(track.frames[-1]))
    frames = np.clip(np.arange(first, last + 1), track.frames[0], track.frames[-1])
    return Extended(video.info, Tube(first, track.at(frames)), seen)
