"""An annotator without a browser, working through Label Studio's API.

Does what a person does on the labelling page: opens a task, takes the proposal over, changes it or not, gives a
verdict, submits; or skips. What it writes is what the page writes: the proposal's regions with their ids, and
``parent_prediction``.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.config import LabelConfig

Region = dict[str, Any]


def open_task(client: LabelStudioClient, task_id: int) -> dict[str, Any]:
    """Open a task as the page does: two requests at once, each of which may ask the backend for a prediction."""
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(client.task, [task_id, task_id])
    assert first["id"] == second["id"]
    return second


def accept(client: LabelStudioClient, task_id: int, prediction: dict[str, Any], config: LabelConfig) -> dict[str, Any]:
    """Submit the proposal unchanged with the verdict "correct"."""
    result = [*copy.deepcopy(prediction["result"]), *verdict(config, "correct")]
    return client.create_annotation(task_id, result, parent_prediction=prediction["id"], lead_time=4.0)


def correct(
    client: LabelStudioClient, task_id: int, prediction: dict[str, Any], config: LabelConfig, *, cut: int, shift: float
) -> dict[str, Any]:
    """Submit the proposal with its end moved ``cut`` frames earlier and its boxes moved right by ``shift`` percent."""
    result = [*corrected(prediction["result"], cut=cut, shift=shift), *verdict(config, "wrong time")]
    return client.create_annotation(task_id, result, parent_prediction=prediction["id"], lead_time=21.0)


def skip(client: LabelStudioClient, task_id: int) -> dict[str, Any]:
    """Skip the task."""
    return client.create_annotation(task_id, [], was_cancelled=True, lead_time=2.0)


def verdict(config: LabelConfig, choice: str) -> list[Region]:
    """The verdict as a region; nothing where the interface does not ask for that verdict."""
    if config.verdict_name is None or choice not in config.verdicts:
        return []
    return [
        {
            "id": "verdict-1",
            "type": "choices",
            "from_name": config.verdict_name,
            "to_name": config.video_name,
            "value": {"choices": [choice]},
        }
    ]


def span(result: Sequence[Region]) -> tuple[int, int]:
    """First and last frame of the first tube, 1-based as Label Studio counts them."""
    sequence = next(region for region in result if region["type"] == "videorectangle")["value"]["sequence"]
    return int(sequence[0]["frame"]), int(sequence[-1]["frame"])


def corrected(result: Sequence[Region], *, cut: int, shift: float) -> list[Region]:
    """A copy of the regions that ends ``cut`` frames earlier, its boxes ``shift`` percent further right.

    At least one frame is kept. A box that would leave the picture is moved to its edge.
    """
    regions = copy.deepcopy(list(result))
    start, end = span(regions)
    new_end = max(start, end - cut)
    for region in regions:
        value = region["value"]
        if region["type"] == "videorectangle":
            value["sequence"] = [_moved(k, shift) for k in _cut(value["sequence"], new_end)]
        elif region["type"] == "timelinelabels":
            value["ranges"] = [{"start": r["start"], "end": min(r["end"], new_end)} for r in value["ranges"]]
    return regions


def _cut(sequence: Sequence[Region], end: int) -> list[Region]:
    """The keyframes up to ``end``, with a last one exactly there that switches the tube off."""
    kept = [keyframe for keyframe in sequence if keyframe["frame"] <= end]
    if kept[-1]["frame"] < end:
        following = next(keyframe for keyframe in sequence if keyframe["frame"] > end)
        before = kept[-1]
        share = (end - before["frame"]) / (following["frame"] - before["frame"])
        between = {
            key: before[key] + share * (following[key] - before[key]) for key in ("x", "y", "width", "height", "time")
        }
        kept.append({**before, **between, "frame": end})
    kept[-1] = {**kept[-1], "enabled": False}
    return kept


def _moved(keyframe: Region, shift: float) -> Region:
    return {**keyframe, "x": min(keyframe["x"] + shift, 100.0 - keyframe["width"])}
