"""From maps and tracks to the answer: everything after the model has spoken (paper, stages 7 and 9).

:func:`join` scores the tracks and chooses one, :func:`refine` makes the choice a tube. The pipeline, calibration and
the ablation all answer by these two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stvg_core.method.evidence import Choice, Evidence, Rows, SecondLook
from stvg_core.method.interval import cut, ends, interval, score_of, slot_of, slot_span_to_frames, snapped, window
from stvg_core.method.maps import Maps, maps
from stvg_core.method.tracks import (
    View,
    best_track,
    covered_cells,
    excess,
    mask_shares,
    none_worth_choosing,
    preference,
    same_object,
    slot_scores,
)
from stvg_core.settings import GroundingSettings, JoinedSettings
from stvg_core.tube import NO_MASK, NOTHING_MOVES, Array, Track, Tube

LookAgain = Callable[[tuple[int, int]], tuple[SecondLook, Array] | None]
"""First and last frame of a window -> the second look at it and every track's frame scores ``(P, T)`` by it; None where
it cannot be looked at."""


@dataclass(frozen=True)
class Refined:
    """A choice made exact.

    Attributes:
        chosen: index of the track.
        track: the whole track, as dense as it is known.
        span: from when to when, both included; the track may be shorter.
        tube: the track between those frames.
        second: the second look that set them, None where none was worth it, or where it is lost.
        lost: a second look would have been taken, and could not be: the ends are the first look's.
    """

    chosen: int
    track: Track
    span: tuple[int, int]
    tube: Tube
    second: SecondLook | None
    lost: bool


def join(
    rows: Rows, found: Maps, tracks: Sequence[Track], slots: Array, view: View, n_frames: int,
    settings: GroundingSettings, proposer_weight: float, through: int | None = None,
) -> tuple[Evidence, Choice]:  # fmt: skip
    """Choose the track by the spatial map and its interval by the temporal map.

    Args:
        rows: what the maps were made of, to be kept with the evidence.
        found: the maps, ``(T, h, w)`` each.
        tracks: P candidates.
        slots: ``(T,)`` the frames that stand for the slots.
        proposer_weight: used where the settings leave it open.
        through: a frame that the interval must hold.
    """
    boxes = np.stack([track.at(slots) for track in tracks]) if tracks else np.empty((0, len(slots), 4), np.float32)
    seen, (h, w) = view(boxes), found.spatial.shape[1:]
    masks = mask_shares(tracks, slots, view, h, w)
    coverage = covered_cells(seen, masks, h, w, settings.coverage)
    objects, forward, backward = (
        slot_scores(one, coverage).max(axis=1) for one in (found.spatial, found.spatial_forward, found.spatial_reversed)
    )
    evidence = Evidence(
        slot_frames=slots, track_boxes=boxes, track_scores=objects, track_scores_forward=forward,
        track_scores_reversed=backward, frame_scores=slot_scores(found.temporal, coverage),
        spatial_map=_half(found.spatial), temporal_map=_half(found.temporal), chosen=-1,
        consistency=found.consistency,
        info={
            **found.info, "looks": settings.looks_digest(), "n_frames": n_frames, "proposer_weight": proposer_weight,
            "choice_weight": proposer_weight if settings.proposer_weight is None else settings.proposer_weight,
            "tas_temporal": settings.tas and settings.tas_temporal,
        },
    )  # fmt: skip
    if tracks:
        evidence = replace(
            evidence, rows=rows, seen=seen, masks=masks, excess=excess(found.spatial, coverage),
            proposer_scores=np.array([track.score for track in tracks]),
            ends=np.array([[track.frames[0], track.frames[-1]] for track in tracks], dtype=np.int64),
            end_boxes=np.stack([track.boxes[[0, -1]] for track in tracks]),
        )  # fmt: skip
        if settings.coverage == "mask" and (without := sum(track.masks is None for track in tracks)):
            evidence.info[NO_MASK] = without
        if none_worth_choosing(tracks, boxes):
            evidence.info[NOTHING_MOVES] = len(tracks)
    choice = choose(evidence, settings, through)
    return replace(evidence, chosen=choice.chosen), choice


def choose(evidence: Evidence, settings: GroundingSettings, through: int | None = None) -> Choice:
    """The best of the tracks by their scores, and its interval by its own frame scores; ``through`` is a frame inside
    it. The evidence's own choice is not looked at.
    """
    (lowest, highest), slots = evidence.bounds, evidence.slot_frames
    if len(evidence.track_scores) == 0:
        return without_candidates(evidence.bounds)
    weight = settings.proposer_weight
    weight = float(evidence.info["proposer_weight"]) if weight is None else weight
    preferred = preference(evidence.track_scores, evidence.proposer_scores, weight)
    chosen = best_track(preferred, evidence, settings.ties)
    scores = evidence.frame_scores[chosen]
    first, last = interval(scores, settings, None if through is None else slot_of(slots, through))
    rivals = preferred[~same_object(evidence.track_boxes, chosen)]
    score = score_of(float(preferred[chosen]), rivals, scores, first, last)
    return Choice(chosen, slot_span_to_frames(slots, first, last, lowest, highest), score)


def without_candidates(bounds: tuple[int, int]) -> Choice:
    """No track and score 0: there is nothing in the video, or in its part, that could be the object."""
    return Choice(-1, bounds, 0.0)


def refine(
    choice: Choice, track: Track, evidence: Evidence, settings: GroundingSettings, look_again: LookAgain,
    through: int | None = None,
) -> Refined:  # fmt: skip
    """The chosen track cut to its interval, whose ends a second look sets where one is worth it, and which are moved to
    what the track does there where the settings say so.

    Args:
        track: the chosen one, as dense as it can be had.
        evidence: of the first look.
        through: a frame that the interval must hold.
    """
    span, (lowest, highest) = choice.span, evidence.bounds
    spacing = (highest - lowest + 1) / len(evidence.slot_frames)
    wanted = window(*span, spacing, lowest, highest) if settings.second_look else None
    taken = None if wanted is None else look_again(wanted)
    if taken is not None:
        second, scores = taken
        span = ends(scores[choice.chosen], second.slots, second.window, settings, through)
    lost = wanted is not None and taken is None
    if settings.snap_ends:
        span = snapped(span, track.acts, spacing, through)
    return Refined(choice.chosen, track, span, cut(track, *span), None if taken is None else taken[0], lost)


def second_look_of(
    rows: Rows, within: tuple[int, int], slots: Array, view: View, tracks: Sequence[Track], chosen: int, dense: Track
) -> SecondLook:
    """A second look with all tracks; ``dense`` is the ``chosen`` one, for which it was taken."""
    known = [dense if n == chosen else track for n, track in enumerate(tracks)]
    boxes = np.stack([track.at(slots) for track in known])
    h, w = rows.spatial.shape[-2:]
    masks = mask_shares(known, slots, view, h, w)
    return SecondLook(within, slots, boxes, view(boxes), rows, masks)


def second_scores(second: SecondLook, settings: JoinedSettings) -> Array:
    """``(P, T)`` S_frame of every track by the temporal map of a second look."""
    temporal = maps(second.rows, settings).temporal
    h, w = temporal.shape[1:]
    return slot_scores(temporal, covered_cells(second.seen, second.masks, h, w, settings.coverage))


def _half(values: Array) -> Array:
    """Scaled to a largest value of 1 before float16, which cannot hold tiny probabilities."""
    return (values / max(float(values.max()), 1e-30)).astype(np.float16)
