"""What does an annotator ask from the page with Auto-Annotation on? A sentence typed, or boxes drawn.

Label Studio 1.23 sends boxes when a label of a ``smart`` Labels tag is clicked on a selected region, and then all
regions with that label. A returned region with the drawn one's id takes its place; it gets the label that was clicked.
Whatever is written into a region's ``meta`` stays with it: its ``text`` is the note that the page shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backend.labelstudio.config import LabelConfig
from backend.labelstudio.payloads import drawn_boxes
from backend.labelstudio.result import USUAL_ASPECT, read_shapes, upright
from stvg_core.tube import Array

MARK = "stvg"
"""The key of ``meta`` that holds the id under which the region was suggested."""


@dataclass(frozen=True)
class DrawnRegion:
    """A box region as it stands on the page.

    Attributes:
        region_id: Label Studio's id.
        suggested_as: the region id of the prediction that it may have come from.
        label: the first one, None for a region without.
        sentence: its note, None where it has none.
        frames, boxes: ``(N,)`` 0-based and ``(N, 4)`` normalised xyxy, its keyframes; of turned boxes the upright ones
            around them, in a picture of the usual aspect (see :meth:`in_picture`).
        shapes: ``(N, 5)`` as the page has them, None where that is not known.
    """

    region_id: str
    suggested_as: str
    label: str | None
    sentence: str | None
    frames: Array
    boxes: Array
    shapes: Array | None = None

    def in_picture(self, aspect: float) -> DrawnRegion:
        """The same in a picture of this width by height, which decides what a turn does."""
        if self.shapes is None or not self.shapes[:, 4].any():
            return self
        return replace(self, boxes=np.clip(upright(self.shapes, aspect), 0.0, 1.0))


def drawn_regions(context: Mapping[str, Any] | None, config: LabelConfig) -> list[DrawnRegion]:
    """The box regions that were sent along, in order; those without a keyframe are left out."""
    found = []
    for region in drawn_boxes(context):
        value = region.get("value")
        if not isinstance(value, dict) or region.get("to_name", config.video_name) != config.video_name:
            continue
        frames, shapes, _ = read_shapes(value.get("sequence") or [])
        if not len(frames):
            continue
        labels = value.get("labels")
        label = next((str(name) for name in labels if name), None) if isinstance(labels, list) else None
        found.append(
            DrawnRegion(
                region_id=str(region.get("id") or ""),
                suggested_as=suggested_as(region),
                label=label if label in config.labels else None,
                sentence=note(region),
                frames=frames,
                boxes=np.clip(upright(shapes, USUAL_ASPECT), 0.0, 1.0),
                shapes=shapes,
            )
        )
    return found


def note(region: Mapping[str, Any]) -> str | None:
    """The first line of a region's note, None where it has none."""
    meta = region.get("meta")
    texts = meta.get("text") if isinstance(meta, dict) else None
    written = [text for text in (texts if isinstance(texts, list) else [texts]) if isinstance(text, str)]
    return next((line.strip() for text in written for line in text.splitlines() if line.strip()), None)


def is_marked(region: Mapping[str, Any]) -> bool:
    """Whether the region answers what was asked from the page."""
    meta = region.get("meta")
    return isinstance(meta, dict) and isinstance(meta.get(MARK), str)


def suggested_as(region: Mapping[str, Any]) -> str:
    """The id under which a region was suggested: that of its mark, else its own."""
    return str(region["meta"][MARK]) if is_marked(region) else str(region.get("id") or "")


def meta_for(sentence: str, suggested: str, *more: str) -> dict[str, Any]:
    """The ``meta`` of a region that answers a question from the page; in its note ``more`` follows the sentence."""
    # Label Studio shows the texts one behind the other, with nothing in between.
    return {"text": [sentence, *(f"\n{one}" for one in more)], MARK: suggested}
