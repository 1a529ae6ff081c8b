"""What do the scores of many sentences come to? Means with an interval, for all of them and by attribute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stvg_core.evaluation.compare import Sample
from stvg_core.evaluation.samples import Truth
from stvg_core.tube import Array

METRICS = ("m_tIoU", "m_vIoU", "m_gt_vIoU", "vIoU@0.3", "vIoU@0.5")
DRAWS = 2000
_SEED = 20250915


@dataclass(frozen=True)
class Mean:
    """A mean and the ends of its 95 % bootstrap interval; None where there is only one video to draw from."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Group:
    """The sentences that share a value of an attribute; ``means`` by the names of :data:`METRICS`."""

    attribute: str
    value: str
    n: int
    means: dict[str, Mean]


def score_rows(samples: Sequence[Sample]) -> Array:
    """``(N, 5)`` float64, columns as in :data:`METRICS`; vIoU@R is 1 strictly above R."""
    rows = [
        (s.scores.tiou, s.scores.viou, s.scores.gt_viou, float(s.scores.viou > 0.3), float(s.scores.viou > 0.5))
        for s in samples
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, len(METRICS))


def means(samples: Sequence[Sample]) -> dict[str, Mean]:
    """Means over all sentences. The interval comes from drawing videos: the sentences of one video go together."""
    rows = score_rows(samples)
    _, video = np.unique([sample.truth.key[0] for sample in samples], return_inverse=True)
    n_videos = int(video.max()) + 1
    value = rows.mean(axis=0)
    if n_videos < 2:
        return {name: Mean(float(v), None, None) for name, v in zip(METRICS, value, strict=True)}
    counts = np.bincount(video, minlength=n_videos).astype(np.float64)
    sums = np.stack([np.bincount(video, weights=column, minlength=n_videos) for column in rows.T], axis=1)
    drawn = np.random.default_rng(_SEED).multinomial(n_videos, np.full(n_videos, 1 / n_videos), size=DRAWS)
    drawn_means = (drawn @ sums) / (drawn @ counts)[:, None]  # [DRAWS, 5]
    low, high = np.percentile(drawn_means, [2.5, 97.5], axis=0)
    return {name: Mean(float(value[k]), float(low[k]), float(high[k])) for k, name in enumerate(METRICS)}


def breakdown(samples: Sequence[Sample]) -> list[Group]:
    """Groups by each attribute that the truth knows and that takes at least two values.

    Lengths, sizes and counts go from small to large, kinds and classes from many sentences to few.
    """
    found: list[Group] = []
    truths = [sample.truth for sample in samples]
    columns: dict[str, list[str | None]] = {
        "sentence": [truth.kind for truth in truths],
        "object": [truth.category for truth in truths],
        "tube length": _terciles([truth.length_s for truth in truths], ("short", "medium", "long"), "{:.1f} s"),
        "box size": _terciles([100 * t.area_share for t in truths], ("small", "medium", "large"), "{:.1f} %"),
        "objects in video": [_how_many(truth) for truth in truths],
    }
    for attribute, values in columns.items():
        names = {value for value in values if value is not None}
        if len(names) < 2:
            continue
        groups = []
        for name in names:
            members = [sample for sample, value in zip(samples, values, strict=True) if value == name]
            groups.append(Group(attribute, name, len(members), means(members)))
        found += sorted(groups, key=lambda group: (_rank(group), -group.n, group.value))
    return found


def _terciles(numbers: Sequence[float], names: tuple[str, str, str], unit: str) -> list[str | None]:
    """Each number's third of all, named with its bounds: "short (up to 1.2 s)"."""
    values = np.asarray(numbers, dtype=np.float64)
    low, high = np.quantile(values, [1 / 3, 2 / 3])
    labels = (
        f"{names[0]} (to {unit.format(low)})",
        f"{names[1]} (to {unit.format(high)})",
        f"{names[2]} (above)",
    )
    return [labels[int(value > low) + int(value > high)] for value in values]


def _how_many(truth: Truth) -> str | None:
    if truth.n_objects is None:
        return None
    return "1 or 2" if truth.n_objects <= 2 else "3 to 5" if truth.n_objects <= 5 else "6 or more"


_ORDER = {
    "tube length": ("short", "medium", "long"),
    "box size": ("small", "medium", "large"),
    "objects in video": ("1", "3", "6"),
}


def _rank(group: Group) -> int:
    """Place of a value that has an order, told by how it begins; 0 for kinds and classes."""
    begins = [group.value.startswith(word) for word in _ORDER.get(group.attribute, ())]
    return begins.index(True) if True in begins else 0
