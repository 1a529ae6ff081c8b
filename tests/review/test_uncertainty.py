"""The uncertainty of a suggestion, from evidence made by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from backend.db import task_state
from backend.db.engine import Database
from backend.db.tables import Prediction
from backend.review import uncertainty
from backend.review.uncertainty import margin, of_evidence, separation
from stvg_core.method.evidence import Evidence
from stvg_core.tube import Array
from tests.db.helpers import a_job, a_prediction, a_task, becomes

SLOTS = 10
LEFT, RIGHT = (0.1, 0.1, 0.3, 0.3), (0.6, 0.6, 0.9, 0.9)


def evidence(
    *boxes: tuple[float, ...],
    totals: tuple[float, ...] = (1.0, 0.25),
    frames: Array | None = None,
    proposer: tuple[float, ...] | None = None,
    weight: float = 0.0,
    consistency: float = math.nan,
) -> Evidence:
    """One track per box, of which the first is chosen; ``frames`` are its scores."""
    n = len(boxes)
    scores = np.zeros((n, SLOTS))
    if n:
        scores[0] = np.repeat([0.0, 1.0], SLOTS // 2) if frames is None else frames
    tracks = np.broadcast_to(np.array(boxes, dtype=np.float32).reshape(n, 1, 4), (n, SLOTS, 4)).copy()
    maps = np.zeros((SLOTS, 1, 1), dtype=np.float16)
    return Evidence(
        slot_frames=np.arange(SLOTS), track_boxes=tracks, track_scores=np.array(totals[:n]),
        track_scores_forward=np.array(totals[:n]), track_scores_reversed=np.array(totals[:n]), frame_scores=scores,
        spatial_map=maps, temporal_map=maps, chosen=0 if n else -1, consistency=consistency,
        info={"proposer_weight": weight}, proposer_scores=np.array(proposer or []),
    )  # fmt: skip


def test_without_candidates_nothing_is_more_uncertain() -> None:
    found = of_evidence(evidence())
    assert found.value == 1.0 and math.isnan(found.margin)


def test_all_parts_count_alike() -> None:
    found = of_evidence(evidence(LEFT, RIGHT, proposer=(1.0, 1.0), consistency=0.6))
    assert (found.consistency, found.margin, found.peakiness) == pytest.approx((0.6, 0.75, 1.0))
    assert found.value == pytest.approx(1 - (0.6 + 0.75 + 1.0) / 3)


def test_what_is_not_known_is_left_out_of_the_mean() -> None:
    found = of_evidence(evidence(LEFT, RIGHT))  # no TAS, and from before the proposer's scores were kept
    assert math.isnan(found.consistency) and math.isnan(found.margin)
    assert found.value == pytest.approx(0.0), "peakiness alone"


@pytest.mark.parametrize(
    ("boxes", "proposer", "weight", "expected"),
    [
        ((LEFT, RIGHT), (0.5, 1.0), 0.0, 0.75),  # S_obj alone
        ((LEFT, RIGHT), (0.5, 1.0), 1.0, 0.5),  # 1 * .5 against .25 * 1
        ((LEFT, RIGHT), (0.1, 1.0), 1.0, 0.0),  # another one stands above the chosen track
        ((LEFT, LEFT), (1.0, 1.0), 0.0, 1.0),  # the same object twice is no rival
        ((LEFT,), (1.0,), 0.0, 1.0),
    ],
    ids=["scores", "with the proposer", "beaten", "same object", "alone"],
)
def test_the_margin(boxes: tuple[Any, ...], proposer: tuple[float, ...], weight: float, expected: float) -> None:
    assert margin(evidence(*boxes, proposer=proposer, weight=weight)) == pytest.approx(expected)


def test_the_margin_goes_by_the_weight_that_was_set() -> None:
    found = evidence(LEFT, RIGHT, proposer=(0.5, 1.0), weight=1.0)
    found.info["choice_weight"] = 0.0
    assert margin(found) == pytest.approx(0.75), "S_obj alone, whatever the proposer's usual weight is"


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0, 0, 0, 5, 5, 0], 1.0),
        ([5, 0, 5, 0], 1.0),  # two levels, wherever they lie
        ([0, 1, 2, 3], 0.8),  # by hand: between-variance 1, variance 1.25
        ([2, 2, 2], 0.0),
        ([1], 0.0),
    ],
)
def test_how_clearly_scores_fall_into_two_levels(scores: list[float], expected: float) -> None:
    assert separation(np.array(scores, dtype=float)) == pytest.approx(expected)


def test_older_rows_get_theirs_once(database: Database) -> None:
    good = evidence(LEFT, RIGHT, proposer=(1.0, 1.0), consistency=0.6)
    with database.write() as session:
        for number, keyframes in enumerate([[[2, 0.1, 0.1, 0.4, 0.4]], None, [[2, 0.1, 0.1, 0.4, 0.4]]]):
            row = a_prediction(session, identity=f"p{number}")
            row.keyframes = keyframes
            row.evidence, row.evidence_info = good.to_bytes(), good.info
            row.evidence_consistency = 0.6
        row.evidence = b"not an archive"
        task = a_task(session)
        task.video_id = row.video_id
        becomes(session, a_job(session, task), state="done", prediction_id=1)
        task_id = task.id
    assert uncertainty.record_missing(database) == 2
    assert uncertainty.record_missing(database) == 0
    with database.read() as session:
        state = task_state.of_task(session, task_id)
        assert state is not None and state.uncertainty == session.get_one(Prediction, 1).uncertainty is not None
        values = [session.get_one(Prediction, number).uncertainty for number in (1, 2, 3)]
    assert values == [pytest.approx(1 - (0.6 + 0.75 + 1.0) / 3), 1.0, None]
