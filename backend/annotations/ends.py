"""When does a tube begin and end? A box has a lifespan, and the timeline has ranges with the label Match: which counts?

On the labelling page only the range has handles, so dragging it is how most people move an end. Each of the two is
compared with what was suggested under its own id; "changed" means another frame than suggested. Start and end are
decided apart, by the same rows:

==========================================  =============================================  =========================
what the annotator left                     which end counts                               mark
==========================================  =============================================  =========================
no range (never there, or deleted)          the box's                                      -
range as suggested                          the box's: a range left behind says nothing    -
range changed, box not                      the range's                                    held or followed where it
                                                                                           leaves the box's frames
both changed, at most 2 frames apart        the box's                                      -
both changed, further apart                 the box's, both ends                           disagree
box from a suggestion, its other end        each end where it was changed                  partly
changed than the range's
a range where none was suggested            as "range changed"                             as there
box drawn from nothing, with an end         the box's; further than 2 frames from a        disagree
                                            range that was set by hand
box that never ends (last keyframe on)      the end of a range that was set by hand; for   disagree, where the range
and was changed or drawn                    a box drawn from nothing also of one that was  ends before the box begins
                                            left as suggested
range moved away from the box wholly        the range's, both ends                         held or followed
such ends would cross                       the box's, both ends                           disagree
several ranges, box's lifespan unchanged    shown inside the ranges                        several
or without an end, drawn from nothing
several ranges, another box                 the box's; compared range by range             disagree
a range inside of another one               as one range; the inner one says nothing       several
a range past the video's end                cut to the video                               -
a range outside of the video wholly         none                                           outside
==========================================  =============================================  =========================

A box without a suggestion of ours (drawn, or imported) is compared with the last version before in which box and range
agreed.

Which range belongs to which box: one with the id ``<suggestion>-span`` to the box of that suggestion while it is there;
every other one to the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from backend.annotations.marks import DISAGREE, PARTLY, SEVERAL
from backend.labelstudio.result import Interval, LabelledTube, Range

TOLERANCE = 2
"""Box and range that are both changed may differ by so many frames: nobody drags a handle to the frame."""


@dataclass(frozen=True)
class Ends:
    """When a tube is shown.

    Attributes:
        intervals: 0-based, both ends included, in order.
        marks: kinds of marks.
        moved: how many ends the timeline set.
    """

    intervals: tuple[Interval, ...]
    marks: tuple[str, ...] = field(default=())
    moved: int = 0


def decide(box: LabelledTube, ranges: Sequence[Range], suggested: Interval | None, offered: Interval | None) -> Ends:
    """The rule of this module.

    Args:
        ranges: those that belong to the box, in order.
        suggested: first and last frame of the suggestion that the box came from; None for one drawn from nothing.
        offered: the range that was suggested on the timeline, where it is still on the page or was deleted; None where
            there was none.
    """
    apart = _apart(ranges)
    if not apart:
        return Ends(box.intervals)
    if len(apart) > 1:
        return _several(box, apart, suggested)
    found = _one(box, apart, suggested, offered)
    return replace(found, marks=(*found.marks, SEVERAL)) if _hides(ranges) else found


def _one(
    box: LabelledTube, apart: tuple[Interval, ...], suggested: Interval | None, offered: Interval | None
) -> Ends:  # fmt: skip
    """The rule for a single range."""
    found, first, last = apart[0], box.intervals[0][0], box.intervals[-1][1]
    start = _end(first, found[0], suggested and suggested[0], offered and offered[0])
    end = _end(last, found[1], suggested and suggested[1], offered and offered[1])
    if box.open_ended and (suggested is None or last != suggested[1]):
        by_hand = offered is None or found[1] != offered[1]
        if by_hand or suggested is None:
            end = (found[1], True, False) if found[1] >= first else (last, False, by_hand)
    disagree = start[2] or end[2]
    if start[0] > end[0] or (disagree and suggested is not None and not box.open_ended):
        return Ends(box.intervals, (DISAGREE,))
    marks = [DISAGREE] if disagree else []
    if suggested is not None and not marks and start[1] != end[1]:
        at = 1 if start[1] else 0  # the end that the box set
        left_behind = offered is not None and found[at] == offered[at]
        marks += [PARTLY] if left_behind and (first, last)[at] != suggested[at] else []
    moved = int(start[1] and start[0] != first) + int(end[1] and end[0] != last)
    return Ends(between(box.intervals, start[0], end[0]), tuple(marks), moved)


def _end(box: int, timeline: int, suggested: int | None, offered: int | None) -> tuple[int, bool, bool]:
    """One end: the frame, whether the timeline set it, whether the two disagree."""
    if timeline == offered:
        return box, False, False
    if suggested is not None and box == suggested:
        return timeline, True, False
    return box, False, abs(box - timeline) > TOLERANCE


def _several(box: LabelledTube, ranges: tuple[Interval, ...], suggested: Interval | None) -> Ends:
    if suggested is not None and box.intervals == (suggested,):
        return Ends(ranges, (SEVERAL,), moved=len(ranges))
    if suggested is None and box.open_ended and len(box.intervals) == 1:
        inside = within(ranges, box.intervals[0][0], ranges[-1][1])
        return Ends(inside, (SEVERAL,)) if inside else Ends(box.intervals, (DISAGREE,))
    pairs = list(zip(ranges, box.intervals, strict=False))
    near = all(abs(one[k] - other[k]) <= TOLERANCE for one, other in pairs for k in (0, 1))
    same = near and len(ranges) == len(box.intervals)
    return Ends(box.intervals, () if same else (DISAGREE,))


def between(intervals: tuple[Interval, ...], first: int, last: int) -> tuple[Interval, ...]:
    """Intervals whose first begins at ``first`` and whose last ends at ``last``; breaks in between stay."""
    if last < intervals[0][0] or first > intervals[-1][1]:
        return ((first, last),)
    inside = list(within(intervals, first, last))
    if not inside:  # the ends lie in one break
        return ((first, last),)
    if first < intervals[0][0]:
        inside[0] = (first, inside[0][1])
    if last > intervals[-1][1]:
        inside[-1] = (inside[-1][0], last)
    return tuple(inside)


def within(intervals: Sequence[Interval], first: int, last: int) -> tuple[Interval, ...]:
    """The parts of intervals from ``first`` to ``last``."""
    return tuple((max(a, first), min(b, last)) for a, b in intervals if max(a, first) <= min(b, last))


def _hides(ranges: Sequence[Range]) -> bool:
    """Does a range lie inside of a longer one, so that taking both together says nothing of it?"""
    every = {(one.first, one.last) for one in ranges}
    return any(a[0] <= b[0] and b[1] <= a[1] and a != b for a in every for b in every)


def _apart(ranges: Sequence[Range]) -> tuple[Interval, ...]:
    """Ranges in order; those that overlap or touch are one."""
    found: list[Interval] = []
    for entry in sorted((entry.first, entry.last) for entry in ranges):
        if found and entry[0] <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], entry[1]))
        else:
            found.append(entry)
    return tuple(found)
