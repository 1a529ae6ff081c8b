"""What a model was shown and said, as evidence: stored, moved, told apart from the other kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backend.review.uncertainty import of_evidence
from stvg_core.calibration.rejoin import CannotRejoin, Rejoiner
from stvg_core.locating.said import Mark, Round, Said
from stvg_core.method.evidence import Evidence

ROUND = Round(
    "which object, and when", (0, 12), ("Picture 1, 0.00 s:", "Picture 2, 0.48 s:"), "Which one?", "number 2 <b>\udcff",
    {"number": 2, "start": 0.5}, ("The times were swapped.",), (Mark(1, 2, 0.25, 0.75),), (448, 336),
)  # fmt: skip
SAID = Said("a model", (ROUND,), {"both rounds agree": 0.5, "answered in the form asked for": 1.0})


def evidence(said: Said | None) -> Evidence:
    """One track over two frames."""
    one = np.ones(1)
    return Evidence(
        slot_frames=np.array([0, 12]), track_boxes=np.tile(np.float32([0.1, 0.1, 0.4, 0.4]), (1, 2, 1)),
        track_scores=one, track_scores_forward=one, track_scores_reversed=one, frame_scores=np.ones((1, 2)),
        spatial_map=np.zeros((2, 0, 0), np.float16), temporal_map=np.zeros((2, 0, 0), np.float16), chosen=0,
        info={"n_frames": 30}, said=said,
    )  # fmt: skip


def test_what_was_said_is_stored_and_read_as_it_was() -> None:
    kept = evidence(SAID)
    read = Evidence.from_bytes(kept.to_bytes(), chosen=0, consistency=float("nan"), info={})
    assert read.said == SAID
    assert Evidence.from_bytes(evidence(None).to_bytes(), chosen=0, consistency=0.0, info={}).said is None


def test_frames_of_a_part_are_given_in_those_of_the_whole_video() -> None:
    moved = evidence(SAID).of_whole((100, 129), 500)
    assert moved.said is not None and moved.said.rounds[0].frames == (100, 112)
    assert moved.slot_frames.tolist() == [100, 112]


def test_calibration_refuses_it_and_says_why() -> None:
    with pytest.raises(CannotRejoin, match="a model's words"):
        Rejoiner(evidence(SAID))


def test_uncertainty_goes_by_what_speaks_for_the_answer() -> None:
    found = of_evidence(evidence(SAID))
    assert found.value == pytest.approx(0.25) and found.said == SAID.certainty
    assert np.isnan([found.consistency, found.margin, found.peakiness]).all()
    assert of_evidence(replace(evidence(SAID), chosen=-1)).value == 1.0
    assert SAID.repairs == ("The times were swapped.",) and Said("a model").score == 1.0
