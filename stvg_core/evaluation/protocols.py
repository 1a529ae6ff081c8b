"""The three public protocols: which frames count, and where does an interval end?

All sum the box IoU over the frames that both tubes have. They differ in the frames they look at and in how they read
the two ends of an interval, which moves vIoU by several points on short tubes. Facts from the evaluators that the
authors of TubeDETR (CVPR 2022), CG-STVG (CVPR 2024, after STCAT) and HC-STVG published; docs/evaluation.md has them as
a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from stvg_core.boxes import box_iou
from stvg_core.evaluation.samples import Origin, Prediction, Truth
from stvg_core.tube import Array

SAMPLED_FPS = 5.0
MAX_SAMPLED = 200


class Protocol(StrEnum):
    """The public protocols; they differ in which frames count."""

    TUBEDETR = "tubedetr"
    CGSTVG = "cgstvg"
    HCSTVG = "hcstvg"


@dataclass(frozen=True)
class Scores:
    """tIoU, vIoU and gt_vIoU of one sentence, each in [0, 1]."""

    tiou: float
    viou: float
    gt_viou: float


ZERO = Scores(0.0, 0.0, 0.0)


def measure(protocol: Protocol, truth: Truth, prediction: Prediction) -> Scores:
    """Compare under a protocol. A true frame without a predicted box counts 0, where the public programs stop."""
    ends = _predicted_ends(protocol, prediction)
    if ends is None:
        return ZERO
    if protocol is Protocol.HCSTVG:
        return _shared_frames(truth, prediction, ends)
    true_ends = _true_ends(protocol, truth)
    shift = _shift(protocol, truth)
    if protocol is Protocol.TUBEDETR:
        grid = sampled_frames(truth)
        counted = np.isin(truth.frames + shift, grid) & (truth.frames + shift < true_ends[1])
    else:
        grid = np.arange(min(true_ends[0], ends[0]), max(true_ends[1], ends[1]))
        counted = truth.frames <= true_ends[1]
    frames, overlap = truth.frames[counted] + shift, _overlap(truth, prediction, shift)[counted]
    latest, earliest = max(true_ends[0], ends[0]), min(true_ends[1], ends[1])
    inside = (frames >= latest) & (frames < earliest)
    either = (grid >= min(true_ends[0], ends[0])) & (grid < max(true_ends[1], ends[1]))
    return Scores(
        _interval_iou(true_ends, ends),
        float(overlap[inside].sum()) / max(int(either.sum()), 1),
        float(overlap.sum()) / max(len(frames), 1),
    )


def sampled_frames(truth: Truth) -> Array:
    """TubeDETR's frames: one wherever 5 fps ticks on, thinned evenly to at most 200; ``(N,)`` int64.

    The segment's last frame is never looked at. Videos below 5 fps, which the public program refuses, give all frames.
    """
    start, end = truth.segment
    every = np.arange(start, max(end, start + 1))
    ticks = np.floor(every * min(SAMPLED_FPS / truth.fps, 1.0)).astype(np.int64)
    kept = every[np.concatenate([[True], np.diff(ticks) > 0])]
    if len(kept) > MAX_SAMPLED:
        kept = kept[np.arange(MAX_SAMPLED) * len(kept) // MAX_SAMPLED]
    return np.asarray(kept, dtype=np.int64)


def _shift(protocol: Protocol, truth: Truth) -> int:
    """TubeDETR takes HC-STVG's ``st_frame``, which counts from 1, for a frame that counts from 0."""
    return int(protocol is Protocol.TUBEDETR and truth.origin is Origin.HCSTVG)


def _true_ends(protocol: Protocol, truth: Truth) -> tuple[int, int]:
    if protocol is Protocol.TUBEDETR:
        shift = _shift(protocol, truth)
        return truth.first + shift, truth.last + 1 + shift
    # CG-STVG takes VidSTG's exclusive end for the last frame, and cuts it to the segment.
    last = truth.last + 1 if truth.origin is Origin.VIDSTG else truth.last
    return truth.first, min(last, truth.segment[1])


def _predicted_ends(protocol: Protocol, prediction: Prediction) -> tuple[int, int] | None:
    if prediction.raw_ends is not None:
        return prediction.raw_ends
    if prediction.first is None or prediction.last is None:
        return None
    return prediction.first, prediction.last + int(protocol is Protocol.TUBEDETR)


def _interval_iou(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Overlap of two stretches of the line, the ends as numbers (a tube of one frame has no length in CG-STVG)."""
    shared = min(a[1], b[1]) - max(a[0], b[0])
    return shared / (a[1] - a[0] + b[1] - b[0] - shared) if shared > 0 else 0.0


def _overlap(truth: Truth, prediction: Prediction, shift: int = 0) -> Array:
    """IoU on each of the truth's frames ``(N,)``, 0 where nothing is predicted."""
    overlap = np.zeros(len(truth.frames))
    _, here, there = np.intersect1d(truth.frames + shift, prediction.frames, return_indices=True)
    overlap[here] = box_iou(truth.boxes[here], prediction.boxes[there])
    return overlap


def _shared_frames(truth: Truth, prediction: Prediction, ends: tuple[int, int]) -> Scores:
    """The HC-STVG challenge's own: frames that have both boxes, by the stretch from the first to the last of either."""
    true = truth.frames <= truth.last
    frames, overlap = truth.frames[true], _overlap(truth, prediction)[true]
    both = np.isin(frames, prediction.frames) & (frames >= ends[0]) & (frames <= ends[1])
    stretch = max(truth.last, ends[1]) - min(truth.first, ends[0]) + 1
    return Scores(
        float(both.sum()) / stretch, float(overlap[both].sum()) / stretch, float(overlap.sum()) / max(len(frames), 1)
    )
