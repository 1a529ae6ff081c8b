"""How do looks become numbers that can be stored, and looks again?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from stvg_core.errors import NonFiniteError
from stvg_core.grounding.dsth import Direction, Looks
from stvg_core.looked import Glance, Looked, Rows, SecondGlance
from stvg_core.tube import Array, Track

NOT_FINITE = "The model answered with NaN or infinite numbers; try precision float32, or another checkpoint."


def to_numpy(values: torch.Tensor) -> Array:
    """On the host as float32.

    Raises:
        NonFiniteError: some value is NaN or infinite.
    """
    array: Array = values.detach().float().cpu().numpy()
    if not np.isfinite(array).all():
        raise NonFiniteError(NOT_FINITE)
    return array


def keep(looks: Looks, seen: Array) -> Glance:
    """What is stored of a look at ``(P, T, 4)`` boxes ``seen`` in the model's view."""
    return Glance(seen, _rows(looks.forward), None if looks.backward is None else _rows(looks.backward))


def keep_first(looks: Looks, seen: Array, tracks: Sequence[Track]) -> Looked:
    """What is stored of the look at the whole video, with P >= 1 tracks."""
    ends = np.array([[track.frames[0], track.frames[-1]] for track in tracks], dtype=np.int64)
    end_boxes = np.stack([track.boxes[[0, -1]] for track in tracks])
    return Looked(keep(looks, seen), np.array([track.score for track in tracks]), ends, end_boxes)


def keep_second(
    looks: Looks, window: tuple[int, int], slots: Array, view: Callable[[Array], Array], tracks: Sequence[Track],
    chosen: int, dense: Track,
) -> SecondGlance:  # fmt: skip
    """What is stored of the second look between the two frames ``window``.

    Args:
        view: boxes of the frame -> of the model's view of it.
        chosen: the track that the look was taken for; ``dense`` is that track, made dense.
    """
    boxes = np.stack([(dense if n == chosen else track).at(slots) for n, track in enumerate(tracks)])
    return SecondGlance(window, slots, boxes, keep(looks, view(boxes)))


def restore(glance: Glance) -> Looks:
    """The looks as :func:`stvg_core.grounding.dsth.maps` takes them; the model's answers are not among them."""
    backward = None if glance.backward is None else _direction(glance.backward)
    return Looks(_direction(glance.forward), backward)


def _rows(seen: Direction) -> Rows:
    spatial, neutral = to_numpy(seen.spatial), to_numpy(seen.neutral)
    return Rows.of(spatial, spatial if seen.temporal is seen.spatial else to_numpy(seen.temporal), neutral)


def _direction(rows: Rows) -> Direction:
    spatial, temporal, neutral = (torch.from_numpy(one) for one in rows.unpacked())
    return Direction(spatial, temporal, neutral, torch.empty(0))
