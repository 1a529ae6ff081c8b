"""Tubes as the database keeps them, ``[[frame, x1, y1, x2, y2], ...]``, linear in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stvg_core.keyframes import Keyframe, expand
from stvg_core.tube import Tube


def keyframes(rows: Sequence[Any]) -> list[Keyframe]:
    """Stored rows as keyframes."""
    return [Keyframe(int(row[0]), np.asarray(row[1:5], dtype=np.float32)) for row in rows]


def tube_of_rows(rows: Sequence[Any] | None) -> Tube | None:
    """A suggestion's tube, with a box for each frame; None where it suggests nothing."""
    return expand(keyframes(rows)) if rows else None
