"""Tubes as the database keeps them: ``[[frame, x1, y1, x2, y2], ...]``, linear in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stvg_core.keyframes import Keyframe, simplify
from stvg_core.tube import Tube


def keyframe_rows(tube: Tube, *, min_iou: float) -> list[list[float]]:
    """As few rows as reach ``min_iou`` with the tube on every frame."""
    return [[int(k.frame), *(round(float(v), 6) for v in k.box)] for k in simplify(tube, min_iou=min_iou)]


def keyframes(rows: Sequence[Any]) -> list[Keyframe]:
    """Stored rows as keyframes."""
    return [Keyframe(int(row[0]), np.asarray(row[1:5], dtype=np.float32)) for row in rows]
