"""From maps and tracks to a tube: everything after the model has spoken (paper, stages 7 and 9). No model is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from stvg_core.errors import NonFiniteError
from stvg_core.grounding.choose import preference, same_object
from stvg_core.grounding.coverage import cell_coverage
from stvg_core.grounding.dsth import Highlights, Looks, track_scores
from stvg_core.grounding.join import interval, score_of, slot_of, slot_span_to_frames
from stvg_core.keeping import NOT_FINITE, keep_first, to_numpy
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Array, Evidence, Track, Tube

View = Callable[[Array], Array]
"""Normalised boxes of the frame -> of what the model sees of it (:meth:`stvg_core.mllm.session.Session.view`)."""


@dataclass(frozen=True)
class FirstAnswer:
    """What the maps of the whole video say.

    Attributes:
        track: the chosen one, None without candidates.
        span: its frames, both included.
        score: in [0, 1], see :func:`stvg_core.grounding.join.score_of`.
        evidence: every score that led to it.
        tracks: all candidates.
    """

    track: Track | None
    span: tuple[int, int]
    score: float
    evidence: Evidence
    tracks: Sequence[Track] = ()


@dataclass(frozen=True)
class Scores:
    """What the maps say of P tracks: ``(P,)`` S_obj (assembled, and before that), ``(P, T)`` S_frame."""

    objects: Array
    forward: Array
    backward: Array
    frames: Array


@dataclass(frozen=True)
class Choice:
    """Which track, between which frames (both included), with which score in [0, 1]."""

    chosen: int
    span: tuple[int, int]
    score: float


def join(
    maps: Highlights, tracks: list[Track], slots: Array, view: View, n_frames: int, settings: GroundingSettings,
    proposer_weight: float, looks: Looks | None = None, through: int | None = None,
) -> FirstAnswer:  # fmt: skip
    """Choose the track by the spatial map and its interval by the temporal map.

    Args:
        maps: ``[T, h, w]`` each.
        tracks: P candidates.
        slots: ``(T,)`` the frames that stand for the slots.
        proposer_weight: used where the settings leave it open.
        looks: what the maps were made from, to be kept with the evidence.
        through: a frame that the interval must hold.

    Raises:
        NonFiniteError: NaN or infinite numbers in the maps or answers.
    """
    check_answers(maps.info)
    boxes = np.stack([track.at(slots) for track in tracks]) if tracks else np.empty((0, len(slots), 4), np.float32)
    seen = view(boxes)
    found = track_totals(maps, seen, settings)
    facts = {"looks": settings.looks_digest(), "n_frames": n_frames, "proposer_weight": proposer_weight}
    facts["choice_weight"] = _weight(settings, proposer_weight)
    evidence: dict[str, Any] = {
        "slot_frames": slots, "track_boxes": boxes, "track_scores": found.objects,
        "track_scores_forward": found.forward, "track_scores_reversed": found.backward, "frame_scores": found.frames,
        "spatial_map": _half(to_numpy(maps.spatial)), "temporal_map": _half(to_numpy(maps.temporal)),
        "consistency": maps.consistency,
        "info": maps.info | facts | {"tas_temporal": settings.tas and settings.tas_temporal},
    }  # fmt: skip
    if not tracks:
        return without_candidates(n_frames, Evidence(chosen=-1, **evidence))
    proposer_scores = np.array([track.score for track in tracks])
    choice = choose(found, boxes, proposer_scores, slots, n_frames, settings, proposer_weight, through)
    if looks is not None:
        evidence["looked"] = keep_first(looks, seen, tracks)
    found_all = Evidence(chosen=choice.chosen, **evidence)
    return FirstAnswer(tracks[choice.chosen], choice.span, choice.score, found_all, tracks)


def check_answers(info: Mapping[str, Any]) -> None:
    """What the model said to yes or no are numbers. Raises NonFiniteError."""
    for name in ("yes_minus_no", "yes_minus_no_reversed"):
        if not np.isfinite(info.get(name, [])).all():
            raise NonFiniteError(NOT_FINITE)


def without_candidates(n_frames: int, evidence: Evidence) -> FirstAnswer:
    """No track and score 0: there is nothing in the video that could be the object."""
    return FirstAnswer(None, (0, n_frames - 1), 0.0, evidence)


def track_totals(maps: Highlights, seen: Array, settings: GroundingSettings) -> Scores:
    """Scores of every track from the maps.

    Args:
        seen: ``(P, T, 4)`` boxes in the model's view.
    """
    coverage = cell_coverage(seen, *maps.spatial.shape[1:])
    spatial, forward, backward, temporal = (
        track_scores(to_numpy(one), coverage, settings.coverage)
        for one in (maps.spatial, maps.spatial_forward, maps.spatial_reversed, maps.temporal)
    )
    return Scores(spatial.max(axis=1), forward.max(axis=1), backward.max(axis=1), temporal)


def choose(
    found: Scores, boxes: Array, proposer_scores: Array, slots: Array, n_frames: int, settings: GroundingSettings,
    proposer_weight: float, through: int | None = None,
) -> Choice:  # fmt: skip
    """The best of P >= 1 tracks, and its interval by its own frame scores; ``through`` is a frame inside it."""
    preferred = preference(found.objects, proposer_scores, _weight(settings, proposer_weight))
    chosen = int(preferred.argmax())
    scores = found.frames[chosen]
    first, last = interval(scores, settings, None if through is None else slot_of(slots, through))
    rivals = preferred[~same_object(boxes, chosen)]
    score = score_of(float(preferred[chosen]), rivals, scores, first, last)
    return Choice(chosen, slot_span_to_frames(slots, first, last, 0, n_frames - 1), score)


def _weight(settings: GroundingSettings, proposer_weight: float) -> float:
    return proposer_weight if settings.proposer_weight is None else settings.proposer_weight


def ends(
    temporal: torch.Tensor, track: Track, slots: Array, view: View, window: tuple[int, int],
    settings: GroundingSettings, through: int | None = None,
) -> tuple[int, int]:  # fmt: skip
    """The interval's frames by a temporal map ``[T, h, w]`` of slots that were sampled from a window, both included."""
    scores = slot_scores(temporal, view(track.at(slots)[None]), settings)[0]
    return ends_by(scores, slots, window, settings, through)


def ends_by(
    scores: Array, slots: Array, window: tuple[int, int], settings: GroundingSettings, through: int | None = None
) -> tuple[int, int]:
    """The same by the chosen track's ``(T,)`` frame scores."""
    slot = None if through is None else slot_of(slots, through)
    return slot_span_to_frames(slots, *interval(scores, settings, slot), *window)


def slot_scores(attention: torch.Tensor, seen: Array, settings: GroundingSettings) -> Array:
    """S of every track in every slot, ``(P, T)``, from a map ``[T, h, w]`` and ``(P, T, 4)`` boxes in its view."""
    values = to_numpy(attention)
    return track_scores(values, cell_coverage(seen, *values.shape[1:]), settings.coverage)


def cut(track: Track, start: int, end: int) -> Tube:
    """The part of a track between two frames, both included, as far as the track exists.

    A track that lies wholly outside the interval gives its frame nearest to it: an answer has at least one box.
    """
    start, end = max(start, int(track.frames[0])), min(end, int(track.frames[-1]))
    if start > end:
        start = end = int(np.clip(start, track.frames[0], track.frames[-1]))
    return Tube(start, track.at(np.arange(start, end + 1)))


def _half(values: Array) -> Array:
    """Scaled to a largest value of 1 before float16, which cannot hold tiny probabilities."""
    return (values / max(float(values.max()), 1e-30)).astype(np.float16)
