"""Which of a file's video tracks is the video?

Cover pictures, thumbnails and single stills beside a video are never it. Of several videos the one that the file marks
as default comes first, then the largest picture, then the most pictures, then the first. Where two videos could be
meant, a sentence says which one is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import av.error
from av.stream import Disposition

from stvg_core.video.beat import beat

_NEVER = Disposition.attached_pic | Disposition.timed_thumbnails
_SEVERAL = 2


@dataclass(frozen=True)
class Choice:
    """The track that is read.

    Attributes:
        index: of the stream in the container; None where there is none.
        warning: a sentence for a person where another video could be meant, else None.
        decodable: False where this installation cannot decode it.
    """

    index: int | None
    warning: str | None = None
    decodable: bool = True


def has_choice(container: Any) -> bool:
    """True where there is more than one video stream of any kind."""
    return len(container.streams.video) > 1


def choose(container: Any) -> Choice:
    """The track to read. Reads packets where a track's number of pictures is not in the header; never decodes."""
    streams = [s for s in container.streams.video if not s.disposition & _NEVER]
    if not streams:
        return Choice(None)
    if len(streams) == 1:
        return Choice(streams[0].index, decodable=streams[0].codec_context is not None)
    counts = _counts(container, streams)
    moving = [s for s in streams if counts[s.index] >= _SEVERAL and not s.disposition & Disposition.still_image]
    candidates = moving or streams
    usable = [s for s in candidates if s.codec_context is not None] or candidates
    best = min(usable, key=lambda s: _order(s, counts[s.index]))
    return Choice(best.index, _warning(best, candidates), best.codec_context is not None)


def _order(stream: Any, count: int) -> tuple[Any, ...]:
    context = stream.codec_context
    pixels = context.width * context.height if context is not None else 0
    return (not stream.disposition & Disposition.default, -pixels, -count, stream.index)


def _counts(container: Any, streams: Sequence[Any]) -> dict[int, int]:
    """Pictures per stream: the header's number, else 0, 1 or "at least 2" by reading packets."""
    counts = {s.index: int(s.frames) for s in streams}
    unknown = {s.index for s in streams if not s.frames}
    if not unknown:
        return counts
    try:
        for number, packet in enumerate(container.demux(*streams), 1):
            beat(number)
            index = packet.stream.index
            if packet.size and index in unknown:
                counts[index] += 1
                if counts[index] >= _SEVERAL:
                    unknown.discard(index)
            if not unknown:
                break
    except av.error.FFmpegError:
        pass  # a damaged end: what was counted until there counts
    return counts


def _warning(best: Any, candidates: Sequence[Any]) -> str | None:
    if len(candidates) < _SEVERAL:
        return None
    marked = [s for s in candidates if s.disposition & Disposition.default]
    context = best.codec_context
    size = f", {context.width} x {context.height}" if context is not None else ""
    reason = "the file marks it as its default" if marked == [best] else "its picture is the largest or comes first"
    return (
        f"The file has {len(candidates)} video tracks; track {best.index + 1}{size} is read, because {reason}. A "
        "player may show another one."
    )
