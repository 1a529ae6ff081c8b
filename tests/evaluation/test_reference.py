"""From files to numbers: sentences with segments, trajectories, predictions with ends of their own, both protocols."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stvg_core.datasets import vidstg
from stvg_core.datasets.vidstg import VidStgRecord
from stvg_core.evaluation.protocols import Protocol, measure
from stvg_core.evaluation.samples import Prediction, Truth
from tests.evaluation.own_sentences import SENTENCES, write_sentences


def differences(
    protocol: Protocol, records: Iterable[VidStgRecord], entries: list[dict[str, Any]], name: str
) -> list[float]:
    """For each prediction, how far the farthest of our three numbers is from the expected one, which ``name`` names."""
    truths = {(truth.key, truth.segment): truth for truth in map(Truth.of_vidstg, records)}
    found = []
    for entry in entries:
        frames = sorted(int(frame) for frame in entry["pred_boxes"])
        prediction = Prediction(
            entry["video"], entry["sentence"], None, None, np.array(frames),
            np.array([entry["pred_boxes"][str(frame)] for frame in frames]), raw_ends=tuple(entry["pred_sted"]),
        )  # fmt: skip
        scores = measure(protocol, truths[prediction.key, tuple(entry["used_segment"])], prediction)
        found.append(max(abs(getattr(scores, metric) - entry[name][metric]) for metric in entry[name]))
    return found


@pytest.mark.parametrize("protocol", [Protocol.TUBEDETR, Protocol.CGSTVG])
def test_the_numbers_are_those_of_the_protocol(protocol: Protocol, tmp_path: Path) -> None:
    own = write_sentences(tmp_path)
    found = differences(protocol, vidstg.read(own.annotations, own.vidor), own.predictions, protocol.value)
    assert len(found) == 2 * len(SENTENCES) and max(found) < 1e-6


def test_the_two_protocols_differ_on_these_sentences(tmp_path: Path) -> None:
    """Else the test above could not tell one from the other."""
    found = [
        abs(entry["tubedetr"]["viou"] - entry["cgstvg"]["viou"]) for entry in write_sentences(tmp_path).predictions
    ]
    assert sum(difference > 1e-3 for difference in found) >= len(SENTENCES)
