"""Corrections in a database, for the tests of the reports."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from backend.db import annotations
from backend.db.tables import Annotation, Prediction, Task
from backend.review.drawn_tube import Drawn
from stvg_core.keyframes import simplify


def says(
    session: Session, number: int, task: Task, *drawn: Drawn, prediction: Prediction | None = None, **values: Any
) -> Annotation:
    """Annotation ``number`` with these regions, all of them labelled as the target; later calls are later versions."""
    earlier = len(annotations.versions(session, number))
    digest = f"{number}.{earlier}"
    annotations.add_version(
        session,
        digest=digest,
        ls_annotation_id=number,
        task_id=task.id,
        prediction_id=None if prediction is None else prediction.id,
        tubes=[_entry(region, tube) for region, tube in enumerate(drawn)],
        **{"ls_updated_at": datetime(2026, 1, 1, 12, earlier, number % 60, tzinfo=UTC), **values},
    )
    row = annotations.find(session, digest)
    assert row is not None
    return row


def _entry(region: int, drawn: Drawn) -> dict[str, Any]:
    rows = [[key.frame, *map(float, key.box)] for key in simplify(drawn.tube, 0.999)]
    intervals = [list(interval) for interval in drawn.intervals]
    return {"region_id": f"r{region}", "label": "Target", "intervals": intervals, "keyframes": rows}
