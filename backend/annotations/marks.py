"""What must a person know of a tube that was read from an annotation? Marks, each with the frames that it is about.

A mark is ``{"mark": one of MARKS, "frames": [first, last]}`` in the tube's entry of ``annotation.tubes``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

HELD, FOLLOWED, DISAGREE, PARTLY = "held", "followed", "disagree", "partly"
SEVERAL, LONE, OUTSIDE = "several", "lone", "outside"

MARKS = {
    HELD: "end set on the timeline: the last box is held",
    FOLLOWED: "end set on the timeline: the object was followed to it",
    DISAGREE: "box and timeline were both changed and disagree by more than 2 frames: the box counts",
    PARTLY: "one end set by the box, the other on the timeline",
    SEVERAL: "several ranges on the timeline: the box counts inside of them",
    LONE: "one drawn box, held from its frame on",
    OUTSIDE: "a range on the timeline lies outside of the video",
}
"""What each mark says, in the order in which a person should look at them."""


def mark(kind: str, first: int, last: int) -> dict[str, Any]:
    """A mark as an entry keeps it: its kind, and the frames (0-based, both included) that it is about."""
    return {"mark": kind, "frames": [int(first), int(last)]}


def of_entry(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """The kinds of an entry's marks, each once, in the order of ``MARKS``."""
    found = {str(one.get("mark")) for one in entry.get("marks") or []}
    return tuple(kind for kind in MARKS if kind in found)


def of_tubes(tubes: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The same of all entries of an annotation."""
    found = {kind for entry in tubes for kind in of_entry(entry)}
    return tuple(kind for kind in MARKS if kind in found)


def sentences(tubes: Iterable[Mapping[str, Any]]) -> list[str]:
    """What a person reads: each mark with its frames, counted from 1 as on the pages."""
    return [_sentence(one) for entry in tubes for one in entry.get("marks") or [] if one.get("mark") in MARKS]


def _sentence(one: Mapping[str, Any]) -> str:
    first, last = _frames(one.get("frames") or [0, 0])
    where = f"frame {first + 1}" if first == last else f"frames {first + 1} to {last + 1}"
    text = MARKS[str(one["mark"])]
    return f"{text[0].upper()}{text[1:]} ({where})."


def _frames(frames: Sequence[Any]) -> tuple[int, int]:
    return int(frames[0]), int(frames[-1])
