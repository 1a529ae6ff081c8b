"""Of the regions that the page sent along, which box on which frame did the annotator draw or drag?

The page sends every region with the clicked label and does not say which one was meant. A region of a single keyframe
was just drawn: the last of those. Else one keyframe of a suggested tube lies somewhere else than suggested: it was
dragged. Where neither is so, nothing was drawn: somebody only changed a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from backend.annotations.keyframe_rows import keyframes
from backend.db import predictions
from backend.db.tables import Prediction, Task
from backend.labelstudio.asking import DrawnRegion
from stvg_core.boxes import box_iou
from stvg_core.keyframes import expand

UNMOVED = 0.9
"""A keyframe whose box has at least this IoU with the suggestion was not dragged."""


@dataclass(frozen=True)
class DrawnBox:
    """A region and the position of the drawn box among its keyframes."""

    region: DrawnRegion
    row: int

    def prompt(self) -> dict[str, Any]:
        """As ``job.prompt`` keeps it."""
        box = [round(float(value), 6) for value in self.region.boxes[self.row]]
        return {"frame": int(self.region.frames[self.row]), "box": box, "label": self.region.label}


def drawn_box(session: Session, task: Task, regions: Sequence[DrawnRegion]) -> DrawnBox | None:
    """The box to follow, None where none was drawn."""
    known: dict[str, Prediction] = {}
    if task.video is not None:
        regions = [region.in_picture(task.video.width / task.video.height) for region in regions]
    if task.video_id is not None:
        known = predictions.by_region(session, task.video_id, [region.suggested_as for region in regions])
    for region in reversed(regions):
        if len(region.frames) == 1 and region.suggested_as not in known:
            return DrawnBox(region, 0)
    for region in reversed(regions):
        suggested = known.get(region.suggested_as)
        row = None if suggested is None else _dragged(region, suggested)
        if row is not None:
            return DrawnBox(region, row)
    return None


def _dragged(region: DrawnRegion, suggested: Prediction) -> int | None:
    """The keyframe that lies furthest from the suggestion, None where all lie on it."""
    if not suggested.keyframes:
        return None
    tube = expand(keyframes(suggested.keyframes))
    rows = np.clip(region.frames - tube.start_frame, 0, len(tube.boxes) - 1)
    overlaps = box_iou(region.boxes.astype(np.float32), tube.boxes[rows])
    worst = int(overlaps.argmin())
    return worst if overlaps[worst] < UNMOVED else None
