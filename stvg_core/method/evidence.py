"""What is kept of a grounding: every score that led to the tube, and what they were made of.

There are two kinds. Of the paper's locator it is attention rows; with them every choice after the look can be made
again under other settings, without the model (:mod:`stvg_core.calibration`). Of a locator that uses words it is what
the model was shown and said (:mod:`stvg_core.locating.said`). Nothing here needs torch.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from stvg_core.errors import NonFiniteError
from stvg_core.locating.said import Said
from stvg_core.tube import Array, Segment, Track

_HIGHEST = 15  # float16 ends just below 2**16
_NO_MASKS = np.empty((0, 0, 0, 0), np.float16)


def finite(values: Array) -> Array:
    """The same numbers.

    Raises:
        NonFiniteError: one is NaN or infinite.
    """
    if not np.isfinite(values).all():
        raise NonFiniteError(
            "The model answered with NaN or infinite numbers; try precision float32, or another checkpoint."
        )
    return values


@dataclass(frozen=True)
class Choice:
    """Which track (-1 without candidates), between which frames (both included), with which score in [0, 1]."""

    chosen: int
    span: tuple[int, int]
    score: float


@dataclass(frozen=True)
class Rows:
    """What the model was seen to look at, before any choice: attention rows of the watched tokens, ``(R, T, h, w)``.

    Attributes:
        spatial: of the query on T_v + V_s.
        temporal: of the query on T_v + V_t; for the reversed video the spatial one unless that is assembled too.
        neutral: of the neutral prompt on T_v. R may be larger than above; tokens are matched from the end.
        temporal_neutral: the same of the heads that ``temporal`` is of (``temporal_heads`` of the settings); None where
            both branches take the same heads.
        yes_minus_no: ``(B,)`` log p_yes - log p_no of Q_s (and Q_t) at V = 0; empty where it was not kept.
        yes_minus_no_after: the same with the V that was looked with; empty where no branch learns one.
        v_share: ``(B,)`` the share of the learnt V that was looked with, see ``lra_guard`` of the settings; NaN for a
            branch that learns none.
        backward: the rows of the reversed video, slots as shown; with TAS only.
        exponent: rows are multiplied by two to this power; 0 unless they are packed.

    Raises:
        NonFiniteError: some number is NaN or infinite.
    """

    spatial: Array
    temporal: Array
    neutral: Array
    yes_minus_no: Array = field(default_factory=lambda: np.empty(0, np.float32))
    backward: Rows | None = None
    exponent: int = 0
    yes_minus_no_after: Array = field(default_factory=lambda: np.empty(0, np.float32))
    v_share: Array = field(default_factory=lambda: np.empty(0, np.float32))
    temporal_neutral: Array | None = None

    def __post_init__(self) -> None:
        for values in (*self._all().values(), self.yes_minus_no, self.yes_minus_no_after):
            finite(values)

    @property
    def neutral_of_temporal(self) -> Array:
        """What ``temporal`` is divided by: the neutral prompt's rows of the same heads."""
        return self.neutral if self.temporal_neutral is None else self.temporal_neutral

    def _all(self) -> dict[str, Array]:
        """All rows of this direction by their field."""
        names = "spatial", "temporal", "neutral", "temporal_neutral"
        return {name: rows for name in names if (rows := getattr(self, name)) is not None}

    def packed(self) -> Rows:
        """As float16, scaled by a power of two per direction; tokens that have no counterpart in the neutral are cut.

        The largest number then lies between 16,384 and 32,768, with more than eight decades below it at full precision:
        ratios are kept.
        """
        if self.spatial.dtype == np.float16:
            return self
        count = min(map(len, self._all().values()))
        kept = {name: rows[len(rows) - count :] for name, rows in self._all().items()}
        largest = max(float(rows.max(initial=0.0)) for rows in kept.values())
        exponent = 0 if largest <= 0 else _HIGHEST - int(np.ceil(np.log2(largest)))
        halves = {
            name: np.ldexp(rows.astype(np.float64), exponent).astype(np.float16) for name, rows in kept.items()
        }  # fmt: skip
        backward = None if self.backward is None else self.backward.packed()
        return replace(self, **halves, backward=backward, exponent=exponent)

    def unpacked(self) -> Rows:
        """As float32 in the model's own scale."""
        if self.spatial.dtype != np.float16:
            return self
        scaled = {name: np.ldexp(rows.astype(np.float32), -self.exponent) for name, rows in self._all().items()}
        backward = None if self.backward is None else self.backward.unpacked()
        return replace(self, **scaled, backward=backward, exponent=0)

    def to_arrays(self, name: str) -> dict[str, Array]:
        """Packed, by names for an ``.npz``; equal arrays are stored once."""
        packed = self.packed()
        arrays = _one_way(packed, f"{name}.forward")
        return arrays if packed.backward is None else arrays | _one_way(packed.backward, f"{name}.backward")

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], name: str, way: str = "forward") -> Rows | None:
        """Packed rows; None for evidence from before rows were kept."""
        if f"{name}.{way}.spatial" not in arrays:
            return None
        spatial, neutral = arrays[f"{name}.{way}.spatial"], arrays[f"{name}.{way}.neutral"]
        temporal = arrays.get(f"{name}.{way}.temporal", spatial)
        backward = cls.from_arrays(arrays, name, "backward") if way == "forward" else None
        of_temporal = arrays.get(f"{name}.{way}.temporal_neutral")
        exponent = int(arrays[f"{name}.{way}.exponent"])
        return cls(
            spatial, temporal, neutral, backward=backward, exponent=exponent, temporal_neutral=of_temporal
        )  # fmt: skip


def _one_way(packed: Rows, name: str) -> dict[str, Array]:
    arrays = {f"{name}.spatial": packed.spatial, f"{name}.neutral": packed.neutral}
    if not np.array_equal(packed.temporal, packed.spatial):
        arrays[f"{name}.temporal"] = packed.temporal
    if packed.temporal_neutral is not None:
        arrays[f"{name}.temporal_neutral"] = packed.temporal_neutral
    return arrays | {f"{name}.exponent": np.array(packed.exponent, dtype=np.int16)}


@dataclass(frozen=True)
class SecondLook:
    """The look at the part of the video around the interval, with P tracks.

    Attributes:
        window: the frames between which it was taken, both included.
        slots: ``(T,)`` int64, the frames that stand for its slots.
        boxes: ``(P, T, 4)`` float32 normalised xyxy, NaN where a track is absent; the chosen one's are its dense ones.
        seen: ``(P, T, 4)`` the same in the part of the frame that the grid of cells covers.
        rows: what was looked at.
        masks: as of :class:`Evidence`, at these slots.
    """

    window: tuple[int, int]
    slots: Array
    boxes: Array
    seen: Array
    rows: Rows
    masks: Array = field(default_factory=lambda: _NO_MASKS)


@dataclass(frozen=True)
class Evidence:
    """Every score that led to a tube, kept so that calibration and review need no GPU.

    ``T`` sampled frames (or slots, where a family fuses frames), ``P`` tracks, ``h x w`` token grid per slot.

    Attributes:
        slot_frames: ``(T,)`` int64, the video frame that stands for each slot.
        track_boxes: ``(P, T, 4)`` float32 normalised xyxy, NaN where a track is absent.
        track_scores: ``(P,)`` S_obj of the assembled maps (method, stage 7).
        track_scores_forward, track_scores_reversed: ``(P,)`` the same before assembling (TAS, stage 8).
        frame_scores: ``(P, T)`` S_frame of every track from A_T; the chosen track's row decides the interval.
        spatial_map, temporal_map: ``(T, h, w)`` float16, A_S (assembled) and A_T; ``(T, 0, 0)`` where words decided.
        chosen: index of the chosen track, -1 without tracks.
        consistency: S_cons between forward and reversed maps in [-1, 1], NaN without TAS.
        info: small facts (grounding tokens chosen, p_yes before and after LRA, sub-queries); ``looks`` is the digest of
            the settings that decided what the model was shown and asked.
        rows: what the maps were made of; None without tracks, and in evidence from before rows were kept. Then the
            fields that follow are empty.
        seen: ``(P, T, 4)`` the tracks' boxes in the part of the frame that the grid of cells covers.
        masks: ``(P, T, h, w)`` float16, the share of each cell that a track's mask covers, NaN where a track has none;
            empty where no track has any.
        excess: ``(P,)`` what decides between tracks with the same score
            (:func:`stvg_core.method.tracks.excess`); empty in evidence from before it was kept.
        proposer_scores: ``(P,)`` the proposer's confidence in each track.
        ends: ``(P, 2)`` int64, first and last frame of each track; ``end_boxes`` ``(P, 2, 4)`` its boxes there.
        acts: ``(R, 3)`` int64, index of a track, and first and last frame of what it does (``acts`` of
            :class:`stvg_core.tube.Track`); of the chosen track alone, empty where its proposer does not say.
        exact: ``(T, 4)`` float32, the boxes of the chosen track as dense as it became; empty where none was chosen.
        second: the second look, if one was taken.
        said: what the model was shown and said, of a locator that uses words; else None. Then scores of tracks are 1
            for the chosen one and 0 for the others, frame scores 1 between its ends, and there are no rows and no maps.
    """

    slot_frames: Array
    track_boxes: Array
    track_scores: Array
    track_scores_forward: Array
    track_scores_reversed: Array
    frame_scores: Array
    spatial_map: Array
    temporal_map: Array
    chosen: int
    consistency: float = float("nan")
    info: dict[str, Any] = field(default_factory=dict)
    rows: Rows | None = None
    seen: Array = field(default_factory=lambda: np.empty((0, 0, 4), np.float32))
    masks: Array = field(default_factory=lambda: _NO_MASKS)
    excess: Array = field(default_factory=lambda: np.empty(0))
    proposer_scores: Array = field(default_factory=lambda: np.empty(0))
    ends: Array = field(default_factory=lambda: np.empty((0, 2), np.int64))
    end_boxes: Array = field(default_factory=lambda: np.empty((0, 2, 4), np.float32))
    acts: Array = field(default_factory=lambda: np.empty((0, 3), np.int64))
    exact: Array = field(default_factory=lambda: np.empty((0, 4), np.float32))
    second: SecondLook | None = None
    said: Said | None = None

    @property
    def bounds(self) -> Segment:
        """First and last frame of what could be looked at: of the video, or of its part (``"segment"`` in ``info``)."""
        part = self.info.get("segment")
        return (0, int(self.info["n_frames"]) - 1) if part is None else (int(part[0]), int(part[1]))

    def with_acts(self, track: int, acts: Array | None) -> Evidence:
        """The evidence with what a track was seen to do, ``(R, 2)`` or None."""
        if acts is None or len(acts) == 0:
            return self
        return replace(self, acts=np.concatenate([np.full((len(acts), 1), track), acts], axis=1).astype(np.int64))

    def with_exact(self, track: Track) -> Evidence:
        """The evidence with the chosen track as dense as it became."""
        return replace(self, exact=track.at(self.slot_frames))

    def acts_of(self, track: int) -> Array | None:
        """``(R, 2)`` of a track, None where it was not watched."""
        own: Array = self.acts[self.acts[:, 0] == track, 1:]
        return own if len(own) else None

    def of_whole(self, segment: Segment, n_frames: int) -> Evidence:
        """The evidence of a part of a video, whose frames counted from 0, in the frame numbers of the whole video.

        Args:
            segment: which part.
            n_frames: of the whole video.
        """
        first = segment[0]
        info = self.info | {"segment": list(segment), "n_frames": n_frames}
        if "second_look" in info:
            info["second_look"] = [frame + first for frame in info["second_look"]]
        second = self.second
        if second is not None:
            window = second.window[0] + first, second.window[1] + first
            second = replace(second, window=window, slots=second.slots + first)
        said = None if self.said is None else self.said.moved(first)
        acts = self.acts.copy()
        acts[:, 1:][acts[:, 1:] >= 0] += first  # -1 is no frame
        return replace(
            self, slot_frames=self.slot_frames + first, ends=self.ends + first, acts=acts, second=second, said=said,
            info=info,
        )  # fmt: skip

    _ALWAYS = (
        "slot_frames", "track_boxes", "track_scores", "track_scores_forward", "track_scores_reversed",
        "frame_scores", "spatial_map", "temporal_map",
    )  # fmt: skip
    _OF_TRACKS = ("proposer_scores", "ends", "end_boxes", "excess", "masks", "acts", "exact")

    def to_bytes(self) -> bytes:
        """A compressed ``.npz`` of the arrays, a few tens of KB; ``chosen``, ``consistency`` and ``info`` are kept
        beside it.
        """
        arrays = {name: getattr(self, name) for name in self._ALWAYS}
        arrays |= {f"looked.{name}": values for name in self._OF_TRACKS if len(values := getattr(self, name))}
        if self.rows is not None:
            arrays |= self.rows.to_arrays("first") | _seen(self.seen, self.track_boxes, "first")
        if self.second is not None:
            arrays["second.window"] = np.array(self.second.window, dtype=np.int64)
            arrays |= {"second.masks": self.second.masks} if self.second.masks.size else {}
            arrays |= {"second.slots": self.second.slots, "second.boxes": self.second.boxes}
            arrays |= self.second.rows.to_arrays("second") | _seen(self.second.seen, self.second.boxes, "second")
        if self.said is not None:
            arrays["said"] = self.said.to_array()
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, *, chosen: int, consistency: float, info: dict[str, Any]) -> Evidence:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in cls._ALWAYS}
            found |= {name: arrays[f"looked.{name}"] for name in cls._OF_TRACKS if f"looked.{name}" in arrays}
            rows = Rows.from_arrays(arrays, "first")
            if rows is not None:
                found["seen"] = arrays.get("first.seen", found["track_boxes"])
            return cls(
                **found, chosen=chosen, consistency=consistency, info=info, rows=rows, second=_second(arrays),
                said=Said.from_array(arrays["said"]) if "said" in arrays else None,
            )  # fmt: skip


def _seen(seen: Array, boxes: Array, name: str) -> dict[str, Array]:
    """As exact as it is, because coverage comes from it; nothing where the model sees the whole frame."""
    return {} if np.array_equal(seen, boxes, equal_nan=True) else {f"{name}.seen": seen}


def _second(arrays: Mapping[str, Array]) -> SecondLook | None:
    rows = Rows.from_arrays(arrays, "second")
    if rows is None:
        return None
    start, end = (int(frame) for frame in arrays["second.window"])
    boxes, masks = arrays["second.boxes"], arrays.get("second.masks", _NO_MASKS)
    return SecondLook((start, end), arrays["second.slots"], boxes, arrays.get("second.seen", boxes), rows, masks)
