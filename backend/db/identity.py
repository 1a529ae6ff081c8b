"""When are two questions the same question?

A job is asked before anyone has seen the video, so it is known by the task and the address it names. A prediction is
known by the video's content, so that two tasks with the same video and sentence share one. A box that was drawn to be
followed is part of the question, and so is the part of the video that it is about; the box's label is not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from backend.db.segments import Segment

Prompt = Mapping[str, Any]
"""``{"frame": 0-based, "box": [x1, y1, x2, y2] normalised, "label": text or null}``.

With ``"first"`` and ``"last"`` also the frames that were asked for, where they are not for the model to find.
"""

_DIGITS = 5
"""Of a drawn box: finer than a pixel of 8K video, coarser than what percentages lose."""


def job_identity(
    project_id: int, ls_task_id: int, video_ref: str, query: str, model_version: str, prompt: Prompt | None = None,
    segment: Segment | None = None,
) -> str:  # fmt: skip
    """64 hex digits; ``query`` is normalised."""
    further = _drawn(prompt) + _part(segment)
    return _digest("job", project_id, ls_task_id, video_ref, query, model_version, *further)


def prediction_identity(
    video_sha256: str, query: str, model_version: str, prompt: Prompt | None = None, segment: Segment | None = None
) -> str:
    """64 hex digits; ``query`` is normalised, ``model_version`` ends in the hash of the method's settings."""
    return _digest("prediction", video_sha256, query, model_version, *_drawn(prompt), *_part(segment))


def region_id(identity: str) -> str:
    """The id of a prediction's region in Label Studio, by which a second delivery is recognised."""
    return "tube-" + hashlib.sha256(identity.encode()).hexdigest()[:10]


def _drawn(prompt: Prompt | None) -> list[object]:
    """Nothing without a prompt: what was asked before there were any keeps its identity."""
    if prompt is None:
        return []
    drawn: list[object] = ["drawn", int(prompt["frame"]), [round(float(value), _DIGITS) for value in prompt["box"]]]
    return drawn + ([] if prompt.get("first") is None else [int(prompt["first"]), int(prompt["last"])])


def _part(segment: Segment | None) -> list[object]:
    """Nothing for all of a video, likewise."""
    return [] if segment is None else ["segment", int(segment[0]), int(segment[1])]


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
