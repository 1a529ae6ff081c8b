"""Files of predictions. Four layouts are told apart by what they hold.

1. ``stvg ground``'s lines, or a list of them: ``{video, query, start_frame, end_frame, boxes: {frame: [x1, y1, x2,
   y2]}, width, height}``, frames from 0, both ends included, null where no tube was found; with ``segment``, unless it
   is null or all of the ``n_frames``, the prediction is for that part.
2. What the authors' programs store: ``{video, sentence, pred_sted, pred_boxes}``, optionally ``used_segment``,
   ``width`` and ``height``; the interval is in the evaluating protocol's own convention.
3. An HC-STVG file of either version with predicted boxes; frames count from 1.
4. The HC-STVG challenge's results: ``{video: {st_frame, ed_frame, bbox: {frame: [x1, y1, x2, y2]}}}``; frames from 1.
   It has no sentences, so it fits a truth with one sentence per video.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stvg_core.datasets import hcstvg
from stvg_core.datasets.base import UNUSABLE, DatasetError, RepeatedKeyError, load_text, parse_json
from stvg_core.evaluation.samples import Prediction
from stvg_core.tube import Array

NO_SENTENCE = ""
"""A prediction without a sentence is for its video's only one."""


def read_predictions(path: str | Path, *, encoding: str | None = None) -> list[Prediction]:
    """Read a file of any of the four layouts, ``.json`` or one object per line.

    Args:
        encoding: of the file, where it is not UTF-8.

    Raises:
        DatasetError: missing, or of none of the layouts; the record at fault is named.
    """
    path = Path(path)
    content = _load(path, encoding)
    if isinstance(content, dict) and "boxes" in content and "video" in content:
        content = [content]  # one line of stvg ground
    if isinstance(content, list):
        return [
            _with_size(replace(_entry(f"{path}, prediction {number}", entry), model_version=_version(entry)), entry)
            for number, entry in enumerate(content, start=1)
        ]
    if not isinstance(content, dict):
        raise DatasetError(f"{path} holds no predictions: a list or an object is expected.")
    if content and all(isinstance(v, dict) and isinstance(v.get("bbox"), dict) for v in content.values()):
        return [_challenge(f"{path}: the prediction for {video}", video, v) for video, v in content.items()]
    return [_of_record(record) for record in hcstvg.read(path, encoding=encoding, labels=False)]


def _load(path: Path, encoding: str | None) -> Any:
    """JSON, else JSON lines."""
    text = load_text(path, encoding=encoding)
    try:
        return parse_json(text, str(path))
    except RepeatedKeyError:
        raise
    except DatasetError:
        entries = []
        for number, line in enumerate(text.split("\n"), start=1):  # a sentence may hold other marks of a line's end
            try:
                entries += [parse_json(line, f"{path}, line {number}")] if line.strip() else []
            except RepeatedKeyError:
                raise
            except DatasetError as error:
                raise DatasetError(f"{path} is neither JSON nor JSON lines: see line {number}.") from error
        return entries


def _entry(where: str, entry: Any) -> Prediction:
    """Layouts 1 and 2."""
    if not isinstance(entry, dict) or not isinstance(entry.get("video"), str):
        raise DatasetError(f'{where} names no "video": give each prediction the file name of its video.')
    sentence = next((entry[name] for name in ("query", "sentence", "caption") if name in entry), None)
    if not isinstance(sentence, str):
        raise DatasetError(f'{where} ({entry["video"]}) has no "query".')
    where = f'{where} ({entry["video"]}, "{sentence}")'
    try:
        segment = _segment(entry)
        if "pred_sted" in entry:
            frames, boxes = _boxes(where, entry["pred_boxes"])
            return Prediction(
                entry["video"], sentence, None, None, frames, boxes, segment, raw_ends=_pair(entry["pred_sted"])
            )
        frames, boxes = _boxes(where, entry.get("boxes") or {})
        if entry["start_frame"] is None or entry["end_frame"] is None:
            return Prediction(entry["video"], sentence, None, None, frames, boxes, segment)
        first, last = _pair((entry["start_frame"], entry["end_frame"]))
    except UNUSABLE as error:
        raise DatasetError(f"{where} lacks a usable value ({error}).") from error
    if not 0 <= first <= last:
        raise DatasetError(f"{where} ends before it starts: frames {first} to {last}.")
    return Prediction(entry["video"], sentence, first, last, frames, boxes, segment)


def _segment(entry: Mapping[str, Any]) -> tuple[int, int] | None:
    """The part of the video that was looked at, None for all of it. Raises one of UNUSABLE."""
    if entry.get("used_segment") is not None:
        return _pair(entry["used_segment"])
    if entry.get("segment") is None:
        return None
    part, whole = _pair(entry["segment"]), entry.get("n_frames")
    return None if whole is not None and part == (0, int(whole) - 1) else part


def _with_size(prediction: Prediction, entry: Mapping[str, Any]) -> Prediction:
    """With the size of the picture, where the record says it. Raises DatasetError where it is none."""
    width, height = entry.get("width"), entry.get("height")
    if width is None and height is None:
        return prediction
    if type(width) is not int or type(height) is not int or min(width, height) < 1:
        raise DatasetError(
            f'The prediction for {prediction.video} ("{prediction.sentence}") needs a width and a height in pixels.'
        )
    return replace(prediction, size=(width, height))


def _version(entry: Mapping[str, Any]) -> str:
    """``stvg ground`` says whose answer a line is."""
    version = entry.get("model_version")
    return version if isinstance(version, str) else ""


def _challenge(where: str, video: str, fields: Mapping[str, Any]) -> Prediction:
    """Layout 4."""
    try:
        first, last = _pair((fields["st_frame"], fields["ed_frame"]))
        sentence = str(fields.get("English", fields.get("caption", NO_SENTENCE)))
        frames, boxes = _boxes(where, fields["bbox"])
    except UNUSABLE as error:
        raise DatasetError(f"{where} lacks a usable value ({error}).") from error
    if not 1 <= first <= last or (len(frames) and frames[0] < 1):
        raise DatasetError(f"{where} has impossible frames; they count from 1.")
    return Prediction(video, sentence, first - 1, last - 1, frames - 1, boxes)


def _of_record(record: hcstvg.HcStvgRecord) -> Prediction:
    """Layout 3."""
    label = record.label()
    first, last = int(label.frames[0]), int(label.frames[-1])
    size = record.width, record.height
    return Prediction(label.video, record.caption, first, last, label.frames, label.boxes, size=size)


def _pair(values: Any) -> tuple[int, int]:
    first, last = (int(value) for value in values)
    return first, last


def _boxes(where: str, by_frame: Mapping[str, Any]) -> tuple[Array, Array]:
    """``{frame: box}`` as ``(N,)`` increasing frames and ``(N, 4)`` float64 boxes."""
    found = sorted((int(frame), [float(v) for v in box]) for frame, box in by_frame.items())
    frames = np.array([frame for frame, _ in found], dtype=np.int64)
    if any(len(box) != 4 or not np.isfinite(box).all() for _, box in found) or np.any(np.diff(frames) <= 0):
        raise DatasetError(f"{where} has a frame without four finite numbers, or twice.")
    boxes = np.array([box for _, box in found], dtype=np.float64).reshape(-1, 4)
    swapped = (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
    if swapped.any():
        raise DatasetError(
            f"{where} has a box that ends before it starts on frame {frames[swapped][0]}. Boxes are x1, y1, x2, y2."
        )
    return frames, boxes
