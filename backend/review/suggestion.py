"""A stored suggestion as what it stands for: its tube and its evidence."""

from __future__ import annotations

import math

from backend.db.stored_tubes import tube_of_rows
from backend.db.tables import Prediction
from stvg_core.method.evidence import Evidence
from stvg_core.tube import Tube


def read_evidence(row: Prediction) -> Evidence | None:
    """The stored evidence, None where it cannot be read."""
    consistency = math.nan if row.evidence_consistency is None else row.evidence_consistency
    try:
        return Evidence.from_bytes(
            row.evidence, chosen=row.evidence_chosen, consistency=consistency, info=row.evidence_info
        )
    except Exception:  # a damaged archive raises whatever its reader meets first; others have things to show beside it
        return None


def tube_of(row: Prediction) -> Tube | None:
    """None where the video holds no candidate object."""
    return tube_of_rows(row.keyframes)
