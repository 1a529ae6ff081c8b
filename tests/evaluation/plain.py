"""The three protocols once more, frame by frame and without arrays, as the evaluation's description tells them."""

from __future__ import annotations

from collections.abc import Mapping

Box = tuple[float, float, float, float]
Boxes = Mapping[int, Box]


def iou(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union


def line_iou(a: tuple[int, int], b: tuple[int, int]) -> float:
    shared = min(a[1], b[1]) - max(a[0], b[0])
    return 0.0 if shared <= 0 else shared / ((a[1] - a[0]) + (b[1] - b[0]) - shared)


def tubedetr(
    true: Boxes,
    true_ends: tuple[int, int],
    predicted: Boxes,
    ends: tuple[int, int],
    segment: tuple[int, int],
    fps: float,
) -> tuple[float, float, float]:
    """``true_ends`` and ``ends`` are exclusive; ``true`` is already in the numbering that the protocol sees."""
    sampled = [segment[0]]
    for frame in range(segment[0], segment[1]):
        if int(sampled[-1] * 5 / fps) < int(frame * 5 / fps):
            sampled.append(frame)
    if len(sampled) > 200:
        sampled = [sampled[k * len(sampled) // 200] for k in range(200)]
    either = both = gt = 0.0
    n_true = 0
    for frame in sampled:
        if min(true_ends[0], ends[0]) <= frame < max(true_ends[1], ends[1]):
            either += 1
        if true_ends[0] <= frame < true_ends[1] and frame in true:
            overlap = iou(true[frame], predicted[frame]) if frame in predicted else 0.0
            n_true += 1
            gt += overlap
            if ends[0] <= frame < ends[1]:
                both += overlap
    return line_iou(true_ends, ends), both / max(either, 1), gt / max(n_true, 1)


def cgstvg(
    true: Boxes, true_ends: tuple[int, int], predicted: Boxes, ends: tuple[int, int]
) -> tuple[float, float, float]:
    """All ends are frames that belong to the tubes; ranges leave the last one out."""
    either = len(range(min(true_ends[0], ends[0]), max(true_ends[1], ends[1])))
    both = gt = 0.0
    for frame, box in true.items():
        overlap = iou(box, predicted[frame]) if frame in predicted else 0.0
        gt += overlap
        if frame in range(max(true_ends[0], ends[0]), min(true_ends[1], ends[1])):
            both += overlap
    return line_iou(true_ends, ends), both / max(either, 1), gt / max(len(true), 1)


def hcstvg(true: Boxes, predicted: Boxes) -> tuple[float, float, float]:
    """Frames with both boxes, by everything from the first frame of either to the last."""
    shared = [frame for frame in true if frame in predicted]
    every = max([*true, *predicted]) - min([*true, *predicted]) + 1
    overlap = sum(iou(true[frame], predicted[frame]) for frame in shared)
    return len(shared) / every, overlap / every, overlap / len(true)
