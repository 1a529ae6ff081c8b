"""The public datasets' own files, what the public evaluators gave for them, and a request of a real labelling page."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.labelstudio.asking import drawn_regions
from backend.labelstudio.config import read_config
from stvg_core.datasets import vidstg
from stvg_core.evaluation.protocols import Protocol
from tests.cli.test_evaluate import means_of
from tests.evaluation.test_reference import differences

SAMPLES = Path(os.environ["STVG_SAMPLES"])
ANNOTATIONS, VIDOR = SAMPLES / "vidstg/test_annotations_subset_with_vidor.json", SAMPLES / "vidor"
PUBLIC = {Protocol.TUBEDETR: "tubedetr_5fps", Protocol.CGSTVG: "cgstvg_all_frames"}


def public_results() -> list[dict[str, Any]]:
    with gzip.open(SAMPLES / "metrics/vidstg_pred_vs_public_evaluators.json.gz", "rt") as file:
        found: list[dict[str, Any]] = json.load(file)
    return found


@pytest.mark.parametrize("protocol", PUBLIC)
def test_agrees_with_the_public_evaluators(protocol: Protocol) -> None:
    found = differences(protocol, vidstg.read(ANNOTATIONS, VIDOR), public_results(), PUBLIC[protocol])
    assert len(found) == 33 and max(found) < 1e-4


@pytest.mark.parametrize("protocol", PUBLIC)
def test_the_public_numbers_from_the_command_line(protocol: Protocol, tmp_path: Path) -> None:
    """The first eleven reference predictions, one per sentence, through files and the command."""
    reference = public_results()[:11]
    for metric, mean in means_of(protocol, ANNOTATIONS, VIDOR, reference, tmp_path).items():
        expected = sum(entry[PUBLIC[protocol]][metric] for entry in reference) / 11
        assert mean == pytest.approx(expected, abs=1e-4), metric


def test_the_real_subset() -> None:
    records = vidstg.read(ANNOTATIONS, VIDOR)
    assert len(records) == 11
    assert {record.kind for record in records} == {"declarative", "interrogative"}
    for record in records:
        assert set(range(record.start, record.end)) <= set(record.frames.tolist())
        label = record.label()
        assert (label.frames[0], label.frames[-1]) == (record.start, record.end - 1)
    # One target has a box on the exclusive end, another of the same interval has none.
    assert {record.frames[-1] for record in records if record.end == 561} == {560, 561}


def test_the_captured_request_is_a_drawn_box() -> None:
    captured = SAMPLES / "label-studio/predict_request_interactive_videorectangle.json"
    body = json.loads(captured.read_text())["body"]
    (found,) = drawn_regions(body["params"]["context"], read_config(body["label_config"]))
    assert (found.label, found.frames.tolist()) == ("Person", [0])
    np.testing.assert_allclose(found.boxes[0], [0.6265625, 0.6625, 0.9390625, 0.99583333], atol=1e-6)
