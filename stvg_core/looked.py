"""What was the model seen to look at? Kept with the evidence, so that every later choice can be made again without it.

Rows are kept as float16, scaled by a power of two per direction: the largest then lies between 16,384 and 32,768, with
more than eight decades below it at full precision. Ratios are kept; equal arrays are stored once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Array = NDArray[Any]
_HIGHEST = 15  # float16 ends just below 2**16


@dataclass(frozen=True)
class Rows:
    """Attention rows of the watched tokens for one direction of time, ``(R, T, h, w)`` float16 each, slots as shown.

    Attributes:
        spatial, temporal, neutral: as in :class:`stvg_core.grounding.dsth.Direction`, times ``2**exponent``.
    """

    spatial: _Array
    temporal: _Array
    neutral: _Array
    exponent: int

    @classmethod
    def of(cls, spatial: _Array, temporal: _Array, neutral: _Array) -> Rows:
        """From finite, non-negative rows of any float type; tokens that have no counterpart in the neutral are cut."""
        count = min(len(spatial), len(temporal), len(neutral))
        three = [rows[len(rows) - count :] for rows in (spatial, temporal, neutral)]
        largest = max(float(rows.max(initial=0.0)) for rows in three)
        exponent = 0 if largest <= 0 else _HIGHEST - int(np.ceil(np.log2(largest)))
        scaled = [np.ldexp(rows.astype(np.float64), exponent).astype(np.float16) for rows in three]
        return cls(scaled[0], scaled[1], scaled[2], exponent)

    def unpacked(self) -> tuple[_Array, _Array, _Array]:
        """The three as float32 in the model's own scale."""
        spatial, temporal, neutral = (
            np.ldexp(rows.astype(np.float32), -self.exponent) for rows in (self.spatial, self.temporal, self.neutral)
        )
        return spatial, temporal, neutral

    def to_arrays(self, name: str) -> dict[str, _Array]:
        arrays = {f"{name}.spatial": self.spatial, f"{name}.neutral": self.neutral}
        if not np.array_equal(self.temporal, self.spatial):
            arrays[f"{name}.temporal"] = self.temporal
        return arrays | {f"{name}.exponent": np.array(self.exponent, dtype=np.int16)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, _Array], name: str) -> Rows | None:
        if f"{name}.spatial" not in arrays:
            return None
        spatial = arrays[f"{name}.spatial"]
        temporal = arrays.get(f"{name}.temporal", spatial)
        return cls(spatial, temporal, arrays[f"{name}.neutral"], int(arrays[f"{name}.exponent"]))


@dataclass(frozen=True)
class Glance:
    """One look at T slots of a video, with P tracks.

    Attributes:
        seen: ``(P, T, 4)`` the tracks' boxes in the part of the frame that the grid of cells covers.
        forward, backward: the rows; ``backward`` with TAS only.
    """

    seen: _Array
    forward: Rows
    backward: Rows | None


@dataclass(frozen=True)
class SecondGlance:
    """The second look: between which frames (both included), at which, the tracks' boxes there, and what was seen.

    Attributes:
        slots: ``(T,)`` int64.
        boxes: ``(P, T, 4)`` float32 normalised xyxy, NaN where a track is absent; the chosen one's are its dense ones.
    """

    window: tuple[int, int]
    slots: _Array
    boxes: _Array
    glance: Glance


@dataclass
class Looked:
    """Both looks at a video, and what else the choice of the track needs.

    Attributes:
        first: the look at the whole video, at the evidence's ``slot_frames``.
        proposer_scores: ``(P,)`` the proposer's confidence in each track.
        ends: ``(P, 2)`` int64, first and last frame of each track; ``end_boxes`` ``(P, 2, 4)`` its boxes there.
        second: set once it has been taken.
    """

    first: Glance
    proposer_scores: _Array
    ends: _Array
    end_boxes: _Array
    second: SecondGlance | None = None

    def to_arrays(self, boxes: _Array) -> dict[str, _Array]:
        """By names for an ``.npz``; ``boxes`` are the evidence's ``track_boxes``."""
        arrays = {"looked.proposer_scores": self.proposer_scores, "looked.ends": self.ends}
        arrays |= {"looked.end_boxes": self.end_boxes, **_glance_arrays(self.first, boxes, "first")}
        if self.second is not None:
            arrays["second.window"] = np.array(self.second.window, dtype=np.int64)
            arrays |= {"second.slots": self.second.slots, "second.boxes": self.second.boxes}
            arrays |= _glance_arrays(self.second.glance, self.second.boxes, "second")
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, _Array], boxes: _Array) -> Looked | None:
        """None for evidence from before looks were kept."""
        first = _glance(arrays, boxes, "first")
        if first is None:
            return None
        looked = cls(first, arrays["looked.proposer_scores"], arrays["looked.ends"], arrays["looked.end_boxes"])
        if "second.window" in arrays:
            again = arrays["second.boxes"]
            glance = _glance(arrays, again, "second")
            assert glance is not None
            start, end = (int(frame) for frame in arrays["second.window"])
            looked.second = SecondGlance((start, end), arrays["second.slots"], again, glance)
        return looked


def _glance_arrays(glance: Glance, boxes: _Array, name: str) -> dict[str, _Array]:
    arrays = glance.forward.to_arrays(f"{name}.forward")
    if glance.backward is not None:
        arrays |= glance.backward.to_arrays(f"{name}.backward")
    if not np.array_equal(glance.seen, boxes, equal_nan=True):
        arrays[f"{name}.seen"] = glance.seen  # as exact as it is: coverage comes from it
    return arrays


def _glance(arrays: Mapping[str, _Array], boxes: _Array, name: str) -> Glance | None:
    forward = Rows.from_arrays(arrays, f"{name}.forward")
    if forward is None:
        return None
    seen = arrays.get(f"{name}.seen", boxes)
    return Glance(seen, forward, Rows.from_arrays(arrays, f"{name}.backward"))
