"""On which frame of a suggestion should a person look first? Where its scores and boxes are least sure.

A pure function of the tube and the stored evidence. Five kinds of places are weighed, each from 0 (sure) to 1:

* the chosen track's frame score dips inside the interval, between two higher parts;
* the score hardly changes across an end. An end that lies on a change of what the object itself does was measured in
  the pictures and is left out;
* the box jumps from one frame to the next, far more than this tube usually moves;
* the object was not seen on sampled frames in between (its track has no mask there), so its box was linked over them;
* the chosen track was measured twice, and the two boxes of one frame differ.

The weights of different kinds were not measured against each other; they only order the places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from stvg_core.boxes import box_iou
from stvg_core.method.evidence import Evidence
from stvg_core.tube import Array, Tube

AT_MOST = 3
DOUBTFUL = 0.5
"""From this weight on a place is named beside the weightiest one."""
_LEAST = 0.01
_UNUSUAL = 3.0
"""A jump changes the box so many times as much as a usual step of the tube."""


@dataclass(frozen=True)
class Doubt:
    """A frame to check.

    Attributes:
        frame: 0-based.
        kind: dip, start, end, jump, gap, boxes.
        why: a sentence for a person.
        weight: in (0, 1], 1 is the least sure.
    """

    frame: int
    kind: str
    why: str
    weight: float

    @property
    def doubtful(self) -> bool:
        """False where it is only the least sure place of a suggestion in which nothing stands out."""
        return self.weight >= DOUBTFUL


def doubts(tube: Tube | None, evidence: Evidence | None, at_most: int = AT_MOST) -> tuple[Doubt, ...]:
    """The frames to check, the least sure first; empty without a tube, and where nothing speaks against any frame.

    All that are doubtful, up to ``at_most`` and not two in neighbouring sampled frames; else the least sure one alone.

    Args:
        evidence: of the same suggestion; None where it cannot be read, then only jumps are known.
    """
    if tube is None:
        return ()
    found = list(_jumps(tube))
    apart = 1.0
    if evidence is not None and evidence.chosen >= 0 and len(evidence.slot_frames):
        inside = _inside(evidence.slot_frames, tube)
        found += [*_scores(evidence, tube, inside), *_gaps(evidence, inside), *_measured_twice(evidence, inside)]
        apart = float(np.diff(evidence.slot_frames).mean()) if len(evidence.slot_frames) > 1 else 1.0
    found.sort(key=lambda doubt: (-doubt.weight, doubt.frame))
    kept: list[Doubt] = []
    for doubt in found:
        worth = doubt.weight >= (DOUBTFUL if kept else _LEAST)
        if worth and len(kept) < at_most and all(abs(doubt.frame - other.frame) > apart for other in kept):
            kept.append(doubt)
    return tuple(kept)


def _inside(slots: Array, tube: Tube) -> Array:
    """The slots between the ends; of an interval between two slots, the nearest one."""
    inside = np.flatnonzero((slots >= tube.start_frame) & (slots <= tube.end_frame))
    return inside if len(inside) else np.array([np.abs(slots - tube.start_frame).argmin()])


def _scores(evidence: Evidence, tube: Tube, inside: Array) -> Iterator[Doubt]:
    """Dips and weak ends, in shares of the range of the chosen track's frame scores."""
    scores = np.asarray(evidence.frame_scores[evidence.chosen], dtype=np.float64)
    if not np.isfinite(scores).all() or not np.ptp(scores) > 0:
        return
    levels = (scores - scores.min()) / np.ptp(scores)
    first, last = int(inside[0]), int(inside[-1])
    for slot in range(first + 1, last):
        depth = float(min(levels[first:slot].max(), levels[slot + 1 : last + 1].max()) - levels[slot])
        if depth > 0 and levels[slot] <= min(levels[slot - 1], levels[slot + 1]):
            said = f"Inside of the interval the score dips by {depth:.2f} of its range."
            yield Doubt(int(evidence.slot_frames[slot]), "dip", said, depth)
    acts = evidence.acts_of(evidence.chosen)
    for kind, frame, own, beyond, column, verb in (
        ("start", tube.start_frame, first, first - 1, 0, "rises"),
        ("end", tube.end_frame, last, last + 1, 1, "falls"),
    ):
        seen = acts is not None and bool((acts[:, column] == frame).any())
        if seen or not 0 <= beyond < len(levels):
            continue
        step = float(np.clip(levels[own] - levels[beyond], 0.0, 1.0))
        yield Doubt(frame, kind, f"At the {kind} the score {verb} by only {step:.2f} of its range.", 1.0 - step)


def _jumps(tube: Tube) -> Iterator[Doubt]:
    if len(tube.boxes) < 2:
        return
    kept = np.asarray(box_iou(tube.boxes[:-1], tube.boxes[1:]), dtype=np.float64)
    usual = float(np.median(1.0 - kept))
    for row in np.flatnonzero((1.0 - kept > _UNUSUAL * usual) & (1.0 - kept >= DOUBTFUL)):
        said = f"The box jumps: it has an IoU of {kept[row]:.2f} with the one on the frame before."
        yield Doubt(tube.start_frame + int(row) + 1, "jump", said, float(1.0 - kept[row]))


def _gaps(evidence: Evidence, inside: Array) -> Iterator[Doubt]:
    """Runs of sampled frames without a mask, between two that have one: the middle of each."""
    if evidence.masks.size == 0:
        return
    seen = np.isfinite(evidence.masks[evidence.chosen][inside]).all(axis=(1, 2))
    known = np.flatnonzero(seen)
    for before, after in pairwise(known):
        count = int(after - before) - 1
        if count:
            frame = int(evidence.slot_frames[inside[before + (count + 1) // 2]])
            over = "this sampled frame" if count == 1 else f"{count} sampled frames around it"
            said = f"The object was not seen here: its box was linked over {over}."
            yield Doubt(frame, "gap", said, 1.0 - 1.0 / (1 + count))


def _measured_twice(evidence: Evidence, inside: Array) -> Iterator[Doubt]:
    if len(evidence.exact) != len(evidence.slot_frames):
        return
    coarse, exact = evidence.track_boxes[evidence.chosen], evidence.exact
    for slot in inside:
        if np.isfinite(coarse[slot]).all() and np.isfinite(exact[slot]).all():
            overlap = float(box_iou(coarse[slot][None], exact[slot][None])[0])
            said = f"The box was measured twice here, and the two have an IoU of {overlap:.2f}."
            yield Doubt(int(evidence.slot_frames[slot]), "boxes", said, 1.0 - overlap)
