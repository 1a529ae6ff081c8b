"""From maps and tracks to a tube: everything after the model has spoken (paper, stages 7 and 9). No model is needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from stvg_core.errors import NonFiniteError
from stvg_core.grounding.choose import preference, same_object
from stvg_core.grounding.coverage import cell_coverage
from stvg_core.grounding.dsth import Highlights, track_scores
from stvg_core.grounding.join import confidence, interval, slot_span_to_frames
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Array, Evidence, Track, Tube

_NOT_FINITE = "The model answered with NaN or infinite numbers; try precision float32, or another checkpoint."
View = Callable[[Array], Array]
"""Normalised boxes of the frame -> of what the model sees of it (:meth:`stvg_core.mllm.session.Session.view`)."""


@dataclass(frozen=True)
class FirstAnswer:
    """What the maps of the whole video say.

    Attributes:
        track: the chosen one, None without candidates.
        span: its frames, both included.
        score: confidence in [0, 1].
        evidence: every score that led to it.
    """

    track: Track | None
    span: tuple[int, int]
    score: float
    evidence: Evidence


def join(
    maps: Highlights, tracks: list[Track], slots: Array, view: View, n_frames: int, settings: GroundingSettings,
    proposer_weight: float,
) -> FirstAnswer:  # fmt: skip
    """Choose the track by the spatial map and its interval by the temporal map.

    Args:
        maps: ``[T, h, w]`` each.
        tracks: P candidates.
        slots: ``(T,)`` the frames that stand for the slots.
        proposer_weight: used where the settings leave it open.

    Raises:
        NonFiniteError: NaN or infinite numbers in the maps or answers.
    """
    spatial, temporal = to_numpy(maps.spatial), to_numpy(maps.temporal)
    for name in ("yes_minus_no", "yes_minus_no_reversed"):
        if not np.isfinite(maps.info.get(name, [])).all():
            raise NonFiniteError(_NOT_FINITE)
    boxes = np.stack([track.at(slots) for track in tracks]) if tracks else np.empty((0, len(slots), 4), np.float32)
    coverage = cell_coverage(view(boxes), *spatial.shape[1:])

    def totals(attention: Array) -> Array:
        best: Array = track_scores(attention, coverage, settings.coverage).max(axis=1)
        return best

    evidence: dict[str, Any] = {
        "slot_frames": slots, "track_boxes": boxes, "track_scores": totals(spatial),
        "track_scores_forward": totals(to_numpy(maps.spatial_forward)),
        "track_scores_reversed": totals(to_numpy(maps.spatial_reversed)),
        "frame_scores": track_scores(temporal, coverage, settings.coverage),
        "spatial_map": _half(spatial), "temporal_map": _half(temporal),
        "consistency": maps.consistency, "info": dict(maps.info),
    }  # fmt: skip
    if not tracks:
        return FirstAnswer(None, (0, n_frames - 1), 0.0, Evidence(chosen=-1, **evidence))
    weight = proposer_weight if settings.proposer_weight is None else settings.proposer_weight
    preferred = preference(evidence["track_scores"], np.array([track.score for track in tracks]), weight)
    chosen = int(preferred.argmax())
    scores = evidence["frame_scores"][chosen]
    first, last = interval(scores, settings)
    rivals = preferred[~same_object(boxes, chosen)]
    score = confidence(float(preferred[chosen]), rivals, scores, first, last)
    span = slot_span_to_frames(slots, first, last, 0, n_frames - 1)
    return FirstAnswer(tracks[chosen], span, score, Evidence(chosen=chosen, **evidence))


def ends(
    temporal: torch.Tensor, track: Track, slots: Array, view: View, window: tuple[int, int], settings: GroundingSettings
) -> tuple[int, int]:
    """The interval's frames by a temporal map ``[T, h, w]`` of slots that were sampled from a window, both included."""
    attention = to_numpy(temporal)
    coverage = cell_coverage(view(track.at(slots)[None]), *attention.shape[1:])
    scores = track_scores(attention, coverage, settings.coverage)[0]
    return slot_span_to_frames(slots, *interval(scores, settings), *window)


def cut(track: Track, start: int, end: int) -> Tube:
    """The part of a track between two frames, both included, as far as the track exists.

    A track that lies wholly outside the interval gives its frame nearest to it: an answer has at least one box.
    """
    start, end = max(start, int(track.frames[0])), min(end, int(track.frames[-1]))
    if start > end:
        start = end = int(np.clip(start, track.frames[0], track.frames[-1]))
    return Tube(start, track.at(np.arange(start, end + 1)))


def to_numpy(values: torch.Tensor) -> Array:
    """On the host as float32.

    Raises:
        NonFiniteError: some value is NaN or infinite.
    """
    array: Array = values.detach().float().cpu().numpy()
    if not np.isfinite(array).all():
        raise NonFiniteError(_NOT_FINITE)
    return array


def _half(values: Array) -> Array:
    """Scaled to a largest value of 1 before float16, which cannot hold tiny probabilities."""
    return (values / max(float(values.max()), 1e-30)).astype(np.float16)
