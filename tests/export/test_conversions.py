"""Frames and boxes of any label survive each format's own counting, whatever the gaps, the size and the rate."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings

from backend.export import cvat, labelstudio, mot, vidstg
from backend.export.record import Record
from backend.labelstudio.payloads import validate_prediction
from backend.labelstudio.result import read_spans, result_to_tubes
from stvg_core.datasets import cvat as cvat_reader
from stvg_core.datasets import mot as mot_reader
from stvg_core.datasets import vidstg as vidstg_reader
from tests.export.labels import assert_same, drawn_boxes, of_one, records_with_gaps

RANDOMLY = settings(deadline=None, max_examples=30)


@RANDOMLY
@given(records_with_gaps())
def test_label_studio_counts_from_one_in_percent(record: Record) -> None:
    config = record.config
    assert config is not None
    regions = labelstudio.regions_of(record, config)
    [found] = result_to_tubes(regions, config, n_frames=record.video.n_frames)
    assert found.intervals == record.intervals
    assert read_spans(regions, n_frames=record.video.n_frames) == list(record.intervals)
    for first, last in record.intervals:
        rows = slice(first - record.tube.start_frame, last - record.tube.start_frame + 1)
        np.testing.assert_allclose(found.tube.boxes[rows], record.tube.boxes[rows], atol=1.1e-6)
    scored = [region | {"score": 1.0} for region in regions]
    validate_prediction({"task": 1, "model_version": "m", "score": 1.0, "result": scored}, config)


@RANDOMLY
@given(records_with_gaps())
def test_cvat(record: Record) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with cvat.write(Path(folder)) as add:
            add(of_one(record))
        [label] = cvat_reader.read(Path(folder) / "a.xml").labels
    found = dict(zip(label.frames.tolist(), label.boxes.tolist(), strict=True))
    assert_same({"": found}, {"": drawn_boxes(record)}, atol=0.006)


@RANDOMLY
@given(records_with_gaps())
def test_mot(record: Record) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with mot.write(Path(folder)) as add:
            add(of_one(record))
        [label] = mot_reader.read(Path(folder) / "a" / "gt" / "gt.txt").labels
    found = dict(zip(label.frames.tolist(), label.boxes.tolist(), strict=True))
    assert_same({"": found}, {"": drawn_boxes(record)}, atol=0.016)


@RANDOMLY
@given(records_with_gaps())
def test_vidstg(record: Record) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with vidstg.write(Path(folder)) as add:
            add(of_one(record))
        [found] = vidstg_reader.read(Path(folder) / "annotations.json", Path(folder) / "vidor")
    assert (found.start, found.end) == (record.intervals[0][0], record.intervals[-1][1] + 1)
    boxes = dict(zip(found.frames.tolist(), found.boxes.tolist(), strict=True))
    assert_same({"": boxes}, {"": drawn_boxes(record)}, atol=0.006)
