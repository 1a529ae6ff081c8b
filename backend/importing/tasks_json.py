"""Label Studio's own JSON: a list of tasks with their annotations or predictions, as ``stvg export`` writes it too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from backend.labelstudio.asking import is_marked, note
from backend.labelstudio.config import LabelConfig, read_config
from backend.labelstudio.originals import grounded_address
from backend.labelstudio.result import USUAL_ASPECT, Interval, read_shapes, read_spans, result_to_tubes, upright
from backend.labelstudio.task_data import usual_sentence
from backend.media.location import location
from labeling_config import video_tube
from stvg_core.datasets.base import (
    MAX_FRAMES,
    SHARES,
    UNUSABLE,
    DatasetError,
    VideoLabel,
    VideoPlace,
    load_json,
    split_ending,
    take_or_raise,
)
from stvg_core.text import clean


def read(path: Path, *, encoding: str | None = None, bad: list[str] | None = None) -> list[VideoLabel]:
    """Every box region of every task that was not skipped; its sentence is its note, else the task's.

    Args:
        encoding: of the file, where it is not UTF-8.
        bad: gets a sentence for each task or region that cannot be used, which is left out then.

    Raises:
        DatasetError: missing, or no such file; without ``bad``, the task at fault is named.
    """
    content = load_json(path, encoding=encoding)
    if not isinstance(content, list):
        raise DatasetError(f"{path} is not Label Studio's JSON: a list of tasks is expected.")
    config = read_config(video_tube())
    found: list[VideoLabel] = []
    for number, task in enumerate(content, start=1):
        where = f"task {number} of {path.name}"
        try:
            for region, siblings, predicted in _regions(task):
                label = _label(where, region, siblings, task["data"], config)
                found.append(replace(label, predicted=predicted))
        except UNUSABLE as error:
            take_or_raise(DatasetError(f"{where} lacks a usable value ({error})."), bad)
        except DatasetError as error:
            take_or_raise(error, bad)
    return found


def _regions(task: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Sequence[Any], bool]]:
    """Each box region with all regions beside it, and whether they are a prediction's."""
    kept = [entry for entry in task.get("annotations") or [] if not entry.get("was_cancelled")]
    for entry in kept or task.get("predictions") or []:
        result = entry.get("result") or []
        yield from ((region, result, not kept) for region in result if region.get("type") == "videorectangle")


def _label(
    where: str, region: Mapping[str, Any], siblings: Sequence[Any], data: Mapping[str, Any], config: LabelConfig
) -> VideoLabel:
    address = _address(where, data, config)
    n_frames = int(region["value"].get("framesCount") or 0) or MAX_FRAMES
    tubes = result_to_tubes([region], replace(config, video_name=str(region["to_name"])), n_frames=n_frames)
    if not tubes:
        raise DatasetError(f"{where}: region {region.get('id')} is drawn on no frame.")
    keyframes, shapes, _ = read_shapes(region["value"]["sequence"])
    intervals = _spans(region, siblings, keyframes.tolist(), n_frames) or tubes[0].intervals
    if intervals[-1][1] >= MAX_FRAMES - 1:
        raise DatasetError(f"{where}: region {region.get('id')} has no end, and the file does not say the video's.")
    frames = np.concatenate([np.arange(first, last + 1) for first, last in intervals])
    filled = np.stack([np.interp(frames, keyframes, shapes[:, side]) for side in range(5)], axis=1)
    label = tubes[0].label or ""
    return VideoLabel(
        location(address).rpartition("/")[2], clean(_sentence(region, label, data, config)), clean(label), frames,
        upright(filled, USUAL_ASPECT), SHARES, f"region {region.get('id')} in {where}",
        None if n_frames == MAX_FRAMES else n_frames, VideoPlace(address),
        turned=partial(upright, filled) if filled[:, 4].any() else None,
    )  # fmt: skip


def _spans(
    region: Mapping[str, Any], siblings: Sequence[Any], keyframes: Sequence[int], n_frames: int
) -> Sequence[Interval]:
    """The box's own range on the timeline, where our export wrote it: a lone frame is told by nothing else."""
    own = [other for other in siblings if other.get("id") == f"{region.get('id')}-span"]
    spans = read_spans(own, n_frames=n_frames)
    known = set(keyframes)
    return spans if all(first in known and last in known for first, last in spans) else []


def _address(where: str, data: Mapping[str, Any], config: LabelConfig) -> str:
    if address := config.video_of(data):
        return address
    # Another interface may have other keys, nested ones too.
    found = {grounded_address(data, text) for text in _texts(data) if split_ending(location(text))[1]}
    if len(found) != 1:
        raise DatasetError(f"{where} does not say which of its data is the video.")
    return found.pop()


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)


def _sentence(region: Mapping[str, Any], label: str, data: Mapping[str, Any], config: LabelConfig) -> str:
    """The task's sentence; the box's note where it has one of its own (``backend.annotations.objects``).

    Where the data have no sentence under a usual name, a note is all that there is.
    """
    own = is_marked(region) or label in config.labels[1:]
    asked, noted = usual_sentence(data), note(region) or ""
    return (noted or asked) if own else (asked or noted)
