"""The key test: our numbers are those of the public evaluators on real VidSTG sentences, to 1e-4."""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np
import pytest

from stvg_core.datasets import vidstg
from stvg_core.evaluation.protocols import Protocol, measure
from stvg_core.evaluation.samples import Prediction, Truth
from tests.datasets.samples import sample

PUBLIC = {Protocol.TUBEDETR: "tubedetr_5fps", Protocol.CGSTVG: "cgstvg_all_frames"}


def public_results() -> list[dict[str, Any]]:
    with gzip.open(sample("metrics/vidstg_pred_vs_public_evaluators.json.gz"), "rt") as file:
        found: list[dict[str, Any]] = json.load(file)
    return found


@pytest.mark.parametrize("protocol", PUBLIC)
def test_agrees_with_the_public_evaluators(protocol: Protocol) -> None:
    records = vidstg.read(sample("vidstg/test_annotations_subset_with_vidor.json"), sample("vidor"))
    truths = {(truth.key, truth.segment): truth for truth in map(Truth.of_vidstg, records)}
    compared = 0
    for entry in public_results():
        frames = sorted(int(frame) for frame in entry["pred_boxes"])
        prediction = Prediction(
            entry["video"], entry["sentence"], None, None, np.array(frames),
            np.array([entry["pred_boxes"][str(frame)] for frame in frames]), raw_ends=tuple(entry["pred_sted"]),
        )  # fmt: skip
        scores = measure(protocol, truths[prediction.key, tuple(entry["used_segment"])], prediction)
        expected = entry[PUBLIC[protocol]]
        assert (scores.tiou, scores.viou, scores.gt_viou) == pytest.approx(
            (expected["tiou"], expected["viou"], expected["gt_viou"]), abs=1e-4
        ), entry["sentence"]
        compared += 1
    assert compared == 33
