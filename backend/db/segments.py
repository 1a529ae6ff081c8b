"""Which part of its video is a task about? VidSTG's tasks say it in their data; all others are about all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Segment = tuple[int, int]
"""First and last frame, 0-based, both included."""

_KINDS = ("declarative", "interrogative")


def segment_of(data: Mapping[str, Any]) -> Segment | None:
    """The part that a task's data name as ``stvg prelabel`` writes VidSTG's ``used_segment``: ``"segment": [first,
    last]`` beside VidSTG's ``"kind"``. Whether the video has such frames is found out by whoever opens it.
    """
    found = data.get("segment")
    if data.get("kind") not in _KINDS or not isinstance(found, list) or len(found) != 2:
        return None
    first, last = found
    if type(first) is not int or type(last) is not int:  # True is no frame
        return None
    return first, last


def as_segment(stored: Any) -> Segment | None:
    """What a job's column holds: two numbers, or nothing."""
    return None if stored is None else (int(stored[0]), int(stored[1]))
