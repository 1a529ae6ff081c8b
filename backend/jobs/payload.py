"""What does Label Studio get for a stored prediction?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from backend.annotations.keyframe_rows import keyframes
from backend.annotations.target import COUNTS, COUNTS_ALONE, COUNTS_ELSE, OWN_SENTENCE, RULE
from backend.db.tables import Prediction
from backend.labelstudio.asking import meta_for
from backend.labelstudio.config import LabelConfig
from backend.labelstudio.result import VideoLike, tube_to_result
from stvg_core.keyframes import expand


@dataclass(frozen=True)
class Asked:
    """An annotator's own question, as far as its answer has to say it again.

    Attributes:
        sentence: goes into the region's note.
        region_id: of the drawn region, whose place the answer takes; None for a new region.
        label: that the drawn region had.
        own: the sentence is the task's.
    """

    sentence: str
    region_id: str | None = None
    label: str | None = None
    own: bool = False


class Known(Protocol):
    """A stored prediction: its row, or :class:`backend.db.predictions.Suggestion`."""

    @property
    def model_version(self) -> str: ...
    @property
    def region_id(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def keyframes(self) -> list[Any] | None: ...
    @property
    def video(self) -> VideoLike: ...


def prediction_body(prediction: Known, config: LabelConfig, asked: Asked | None = None) -> dict[str, Any]:
    """``{"result", "score", "model_version"}`` as ``/predict`` and ``/api/predictions`` take it.

    Without a candidate object in the video the result is empty with score 0: Label Studio stores it, sorts it first by
    score, and does not ask again for this model version.
    """
    result: list[dict[str, Any]] = []
    if prediction.keyframes:
        frames = keyframes(prediction.keyframes)
        result = tube_to_result(
            expand(frames),
            info=prediction.video,
            config=config,
            score=prediction.score,
            region_id=(asked and asked.region_id) or prediction.region_id,
            label=asked.label if asked else None,
            keyframes=frames,
            meta=meta_for(asked.sentence, prediction.region_id, _note(asked, config)) if asked else None,
            span=asked is None,  # the page would give it the label that was clicked
            counts=_counts(asked, config),
        )
    return {"result": result, "score": prediction.score, "model_version": prediction.model_version}


def _counts(asked: Asked | None, config: LabelConfig) -> str:
    """Whether the box counts, in the region list: true whatever is done on the page afterwards."""
    label = config.labels[0] if config.labels else "box"
    if asked is not None:
        return f"{COUNTS_ELSE} {label}." if asked.own else f"Answers: {asked.sentence}"
    return f"{COUNTS} {label}." if config.labels else COUNTS_ALONE


def _note(asked: Asked, config: LabelConfig) -> str:
    """Which box counts, in the note of a region that we make: nobody's own text is touched."""
    if not asked.own:
        return f"{OWN_SENTENCE} {config.labels[0]}." if config.labels else f"{OWN_SENTENCE} object."
    return RULE


def is_same(stored: dict[str, Any], prediction: Prediction) -> bool:
    """Is this entry of Label Studio's the prediction? By model version and region, since its numbers are its own."""
    if stored.get("model_version") != prediction.model_version:
        return False
    regions = stored.get("result") or []
    if not prediction.keyframes:
        return not regions
    return any(isinstance(region, dict) and region.get("id") == prediction.region_id for region in regions)
