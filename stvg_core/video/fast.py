"""decord for a few frames of a file that is read once, where it is proved to give the right pictures.

decord seeks to a key frame and counts pictures from there. That is right where, as the packets themselves say:

- the container is mp4 or Matroska with one video track, shown as it is stored, and nothing of it is damaged: decord
  takes its own choice of the track and knows no display matrix;
- every packet is one picture that is shown: decord counts packets, and those that an edit list cuts away with them;
- every key packet is an IDR picture: after an open group's key frame (a recovery point, a CRA picture) other pictures
  are still predicted from what lies before;
- a key packet's place in decoding order is its place in display order: no picture that follows it is shown before it,
  so that counting from it is counting what is shown;
- no later key packet is decoded before the time at which one is shown: a seek to that time would land on the later one
  (a fragmented file without an edit list);
- the pictures are H.264, where all of this can be read.

Timestamps prove none of this: in an open group they are right and the pictures are not.
"""

from __future__ import annotations

from pathlib import Path

import decord
import numpy as np

from stvg_core.tube import Array, VideoInfo
from stvg_core.video.codecs.facts import Entry
from stvg_core.video.coding import read_coding
from stvg_core.video.container import Limits
from stvg_core.video.display import read_shown
from stvg_core.video.timeline import Timeline

decord.logging.set_level(decord.logging.QUIET)

_CONTAINERS = ("mp4", "mov", "matroska")


def read_with_decord(info: VideoInfo, timeline: Timeline, indices: Array, size: tuple[int, int]) -> Array | None:
    """``(T, H, W, 3)`` uint8 RGB of frames in rising order, None where decord is not proved to be right.

    Args:
        size: ``(width, height)`` of the pictures.
    """
    path = Path(info.path)
    if not counts_rightly(timeline) or not read_shown(path, Limits()).plain:
        return None
    coding = read_coding(path)
    if coding.codec != "h264" or coding.container not in _CONTAINERS:
        return None
    try:
        reader = decord.VideoReader(str(path.absolute()), width=size[0], height=size[1], num_threads=1)
        if len(reader) != info.n_frames:
            return None
        return np.asarray(reader.get_batch(indices.tolist()).asnumpy())
    except (decord.DECORDError, RuntimeError, IndexError, UnicodeError):
        return None  # PyAV is the judge of what cannot be decoded


def counts_rightly(timeline: Timeline) -> bool:
    """Whether counting pictures from any key packet gives the frames that are shown; see the module's first lines."""
    packets = timeline.packets
    if timeline.ordinal or timeline.packet_of is None or timeline.warnings or packets.damaged or not packets.known:
        return False
    if len(timeline.pts) != len(packets) or packets.shown.count(1) < len(packets):
        return False
    keys = np.asarray(packets.key.where(1))
    if len(keys) == 0 or keys[0] != 0 or not (packets.entry[keys] == Entry.ALL).all():
        return False
    closed = (timeline.frame_of[keys] == keys).all()
    return bool(closed and (packets.dts[keys[1:]] > packets.pts[keys[:-1]]).all())
