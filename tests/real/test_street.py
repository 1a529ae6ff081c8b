"""The embedded proposer on people in a street."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.proposer_recall import real


def test_people_on_a_street_are_followed() -> None:
    report = real(Path(os.environ["STVG_TUD_CAMPUS"]))
    assert report["people"] == 8
    assert report["covered_by_best_single_track"] >= 0.6
    assert report["covered_by_any_track"] >= report["covered_by_best_single_track"]
