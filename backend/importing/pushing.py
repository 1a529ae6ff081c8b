"""Labels into Label Studio: tasks that are missing, then a prediction or an annotation for each label, once.

A label is recognised by its region's id, a hash of what it says, so that a second run adds nothing: neither where a
person has corrected the imported box since, nor where the task's sentence was reworded.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.importing.placing import Placed
from backend.labelstudio.client import Json, LabelStudioClient
from backend.labelstudio.config import LabelConfig
from backend.labelstudio.result import tube_to_result
from backend.labelstudio.tasks import import_missing, task_data, write_frame_rates
from backend.media.location import location
from stvg_core.datasets.base import split_ending
from stvg_core.keyframes import simplify
from stvg_core.text import key as text_key

PREDICTION, ANNOTATION = "predictions", "annotations"
MIN_IOU = {PREDICTION: 0.9, ANNOTATION: 0.98}
"""Keyframes may differ from the label by so much: predictions are made to be corrected, ground truth to be kept."""


@dataclass
class Pushed:
    """What came of :func:`push`: new tasks, labels added, labels that were there, what a person must know."""

    tasks: int = 0
    added: int = 0
    there: int = 0
    warnings: list[str] = field(default_factory=list)


def push(
    client: LabelStudioClient, project_id: int, config: LabelConfig, placed: Sequence[tuple[Placed, str]], *,
    kind: str, model_version: str,
) -> Pushed:  # fmt: skip
    """Bring labels into a project.

    Args:
        placed: each label with the address under which Label Studio serves its video.
        kind: :data:`PREDICTION`, or :data:`ANNOTATION` for ground truth of this token's user.
        model_version: what the predictions are called.

    Raises:
        LabelStudioError: a refusal; what was pushed before it stays, and a second run goes on from there.
    """
    known = {
        (location(config.video_of(task.get("data"))), region)
        for task in client.tasks(project_id)
        for region in _regions(task.get(kind) or [])
    }
    new: dict[tuple[str, str], tuple[Placed, Json]] = {}
    for item, address in placed:
        # The region tells the file's name, the address its folder.
        label = location(address), region_id(item)
        if label not in known:
            new.setdefault(label, (item, _data(item, address, config)))
    report = Pushed(there=len(placed) - len(new))
    report.tasks = import_missing(client, project_id, config, [data for _, data in new.values()])
    wanted = Counter(_identity(data, config) for _, data in new.values())
    if (several := sum(number > 1 for number in wanted.values())) > 0:
        report.warnings.append(f"{several} tasks get more than one label, because video and sentence are the same")
    tasks: dict[tuple[str, str], Json] = {}
    for task in client.tasks(project_id):
        identity = _identity(task.get("data") or {}, config)
        if identity in wanted:
            tasks.setdefault(identity, task)
    infos = {config.video_of(data): item.info for item, data in new.values()}
    rates = write_frame_rates(client, config, tasks.values(), lambda task: infos[config.video_of(task["data"])])
    # That a rate varies was said when the video was looked at.
    report.warnings += [warning for warning in rates.warnings if "varies" not in warning]
    for (_, region), (item, data) in new.items():
        _push_one(client, config, int(tasks[_identity(data, config)]["id"]), item, region, kind, model_version)
        report.added += 1
    return report


def region_id(item: Placed) -> str:
    """Of everything that a label says; boxes to a hundredth of a per cent of the picture."""
    boxes = item.tube.boxes.astype(float).round(4).tolist()
    content = json.dumps([_stem(item.path), item.query, item.tube.start_frame, boxes])
    return "import-" + hashlib.sha256(content.encode()).hexdigest()[:12]


def _stem(path: Path) -> str:
    """Ids of labels that are in projects already hold it so."""
    name = unicodedata.normalize("NFC", unicodedata.normalize("NFC", path.name).casefold())
    return split_ending(name)[0]


def _push_one(
    client: LabelStudioClient, config: LabelConfig, task_id: int, item: Placed, region: str, kind: str, version: str
) -> None:
    wanted = text_key(item.label.category)
    label = next((name for name in config.labels if text_key(name) == wanted), None)
    keyframes = simplify(item.tube, MIN_IOU[kind])
    result = tube_to_result(
        item.tube, info=item.info, config=config, score=1.0, region_id=region, label=label, keyframes=keyframes
    )
    if kind == PREDICTION:
        body = {"task": task_id, "model_version": version, "score": 1.0, "result": result}
        client.create_prediction(body, config)
        return
    by_hand = [
        {key: value for key, value in entry.items() if key != "score"} | {"origin": "manual"} for entry in result
    ]
    client.create_annotation(task_id, by_hand, ground_truth=True)


def _data(item: Placed, address: str, config: LabelConfig) -> Json:
    return task_data(config, address, item.query, fps=item.info.fps)


def _identity(data: Mapping[str, Any], config: LabelConfig) -> tuple[str, str]:
    return config.video_of(data), config.query_of(data)


def _regions(entries: Iterable[Any]) -> set[str]:
    """Ids of all regions in predictions or annotations as a task lists them."""
    return {
        str(region.get("id"))
        for entry in entries
        if isinstance(entry, dict)
        for region in entry.get("result") or []
        if isinstance(region, dict)
    }
