"""Label Studio's own JSON: a list of tasks with their data, to import again as annotations or as predictions.

Frames count from 1, boxes are percent of the picture. Every interval ends with a keyframe ``enabled: false``, and the
span on the timeline says the same. Of several boxes in a task the target's leaves, and those with a sentence of their
own, which is their note; who drew them is not written, because another Label Studio does not know the person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from backend.export.pieces import dumps, elements
from backend.export.record import Record, VideoLabels
from backend.labelstudio.asking import meta_for
from backend.labelstudio.config import LabelConfig, read_config
from backend.labelstudio.result import tube_to_result
from backend.labelstudio.task_data import TaskDataError, usual_sentence, with_value
from labeling_config import video_tube
from stvg_core.keyframes import Keyframe

MODEL_VERSION = "stvg-export"
"""Label Studio asks again for predictions without a version."""


@contextmanager
def write(path: Path, *, as_predictions: bool = False) -> Iterator[Callable[[VideoLabels], None]]:
    """A function that adds a video's labels to the file."""
    with path.open("x", encoding="utf-8") as file:
        with elements(file, "[]") as element:

            def add(labels: VideoLabels) -> None:
                # An annotation's objects come one after the other, and stay together in one task.
                for _, objects in groupby(labels.records, key=lambda record: (record.task_id, record.annotation_id)):
                    element(dumps(_task(list(objects), as_predictions=as_predictions)))

            yield add
        file.write("\n")


def _with(data: dict[str, Any], name: str, value: object) -> dict[str, Any]:
    """The value where the interface reads it; as a key of its own where something else is in its place."""
    try:
        return with_value(data, name, value)
    except TaskDataError:
        return {**data, name: value}


def _task(objects: list[Record], *, as_predictions: bool) -> dict[str, Any]:
    record = objects[0]
    config = record.config or _own_config()
    data = dict(record.data)
    if config.video_of(data) != record.video_ref:
        data = _with(data, config.video_key, record.video_ref)
    if record.object == 0:
        data = _with(data, config.query_key, record.query)
    if config.frame_rate_key:
        data = _with(data, config.frame_rate_key, record.video.fps)
    # Whoever reads the file does not know the interface, in which the sentence may have any name.
    noted = usual_sentence(data) != record.query
    regions = [region for one in objects for region in regions_of(one, config, noted=noted)]
    if record.unreviewed:  # never an annotation: nobody has looked at it
        found = {"model_version": record.model_version or MODEL_VERSION, "score": record.score, "result": regions}
        return {"data": data, "predictions": [found]}
    if as_predictions:
        return {"data": data, "predictions": [{"model_version": MODEL_VERSION, "result": regions}]}
    if record.verdict and config.verdict_name and record.verdict in config.verdicts:
        regions.append(
            {
                "id": f"{_region_id(record)}-verdict",
                "from_name": config.verdict_name,
                "to_name": config.video_name,
                "type": "choices",
                "origin": "manual",
                "value": {"choices": [record.verdict]},
            }
        )
    return {"data": data, "annotations": [{"result": regions, "was_cancelled": False}]}


def regions_of(record: Record, config: LabelConfig, *, noted: bool = False) -> list[dict[str, Any]]:
    """The box and, where the interface has a timeline, the span.

    Args:
        noted: the task's sentence is the box's note too; that of a further object always is.
    """
    meta = meta_for(record.query, _region_id(record)) if record.object or noted else None
    regions = tube_to_result(
        record.tube,
        info=record.video,
        config=config,
        score=1.0,
        region_id=_region_id(record),
        label=record.label,
        keyframes=_keyframes(record),
        meta=meta,
        span=record.object == 0,
    )
    ends = {last for first, last in record.intervals if not _stays_on(record, first, last)}
    for region in regions:
        region["origin"] = "prediction" if record.unreviewed else "manual"
        del region["score"]  # a person's tube has none, and a suggestion's stands once, beside its regions
        value = region["value"]
        if "sequence" in value:
            if record.label is None:
                value.pop("labels", None)
            for entry in value["sequence"]:
                entry["enabled"] = entry["frame"] - 1 not in ends
        else:
            value["ranges"] = [{"start": first + 1, "end": last + 1} for first, last in record.intervals]
    return regions


def _stays_on(record: Record, first: int, last: int) -> bool:
    """A lone frame that is switched on and off at once can only be said on the video's last frame."""
    return first == last == record.video.n_frames - 1 and len(record.intervals) > 1


def _keyframes(record: Record) -> list[Keyframe]:
    """The tube's keyframes where it is drawn, and the two ends of each interval."""
    wanted = {key.frame for key in record.keyframes if any(a <= key.frame <= b for a, b in record.intervals)}
    wanted |= {frame for interval in record.intervals for frame in interval}
    return [Keyframe(frame, record.tube.boxes[frame - record.tube.start_frame]) for frame in sorted(wanted)]


def _region_id(record: Record) -> str:
    return f"label-{record.name}"


@lru_cache(maxsize=1)
def _own_config() -> LabelConfig:
    return read_config(video_tube())
