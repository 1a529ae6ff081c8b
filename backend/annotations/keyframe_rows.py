"""Tubes as the database keeps them: ``[[frame, x1, y1, x2, y2], ...]``, linear in between."""

from __future__ import annotations

from backend.db.stored_tubes import keyframes as keyframes
from stvg_core.keyframes import simplify
from stvg_core.tube import Tube


def keyframe_rows(tube: Tube, *, min_iou: float) -> list[list[float]]:
    """As few rows as reach ``min_iou`` with the tube on every frame."""
    return [[int(k.frame), *(round(float(v), 6) for v in k.box)] for k in simplify(tube, min_iou=min_iou)]
