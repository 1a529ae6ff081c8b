"""One video worked out with pencil and paper, from what the model says to the scores of the tracks and the interval.

Two slots (frames 10 and 30 of 40), two cells (left and right), visual tokens of 1; the object is on the right.

    Q_s  margin log .5, slope .25 at the right cell of slot 0:  V_s = 8 * .5  * .25 = 1 there, which doubles its rows
    Q_t  margin log .25, slope .5 at the right cell of slot 1:  V_t = 8 * .25 * .5  = 1 there
    Q    token 2 looks .1 everywhere, token 1 looks .5
    neutral prompt       token 2 looks .1, token 1 looks .8;  with a guard of .25 the divisors are .125 and 1

Divided by them, token 2 (.8, doubled 1.6) is above token 1 (.5, doubled 1), although token 1 looks more.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from stvg_core.method.join import join, second_look_of, second_scores
from stvg_core.method.look import look
from stvg_core.method.lra import learn
from stvg_core.method.maps import maps
from stvg_core.query import SubQueries
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Array, Track
from tests.method.stand_in import Says, StandIn, rows

SLOTS, FRAMES = np.array([10, 30]), 40
QUERY, PARTS = "the man in red who sits.", SubQueries("the man in red", "the man sits", found=True)
SETTINGS = GroundingSettings(n_slots=2, guard=0.25, tas=False, lra_guard=False)
LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)


def evenly(*tokens: float) -> Array:
    return rows(*([[token, token], [token, token]] for token in tokens))


TABLE = {
    "Is there the man in red in this video?": Says(math.log(0.5), np.array([[[0], [0.25]], [[0], [0]]]), evenly(0)),
    "Is there the man sits in this video?": Says(math.log(0.25), np.array([[[0], [0]], [[0], [0.5]]]), evenly(0)),
    "the man in red who sits.": Says(0.0, np.zeros((2, 2, 1)), evenly(0.1, 0.5)),
    "Describe this video in details.": Says(0.0, np.zeros((2, 2, 1)), evenly(0.1, 0.8)),
}


def session() -> StandIn:
    return StandIn(np.ones((2, 2, 1)), (1, 2), TABLE.__getitem__)


def track(*boxes: tuple[float, ...], score: float = 1.0) -> Track:
    return Track(np.linspace(0, FRAMES - 1, len(boxes)).astype(int), np.array(boxes), score)


def test_each_prompt_doubles_its_cell_and_the_relative_rows_decide_which_token() -> None:
    found = maps(look(session(), QUERY, PARTS, SETTINGS), SETTINGS)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.spatial, [[[0.8, 1.6]], [[0.8, 0.8]]], rtol=1e-6)
    np.testing.assert_allclose(found.temporal, [[[0.8, 0.8]], [[0.8, 1.6]]], rtol=1e-6)
    assert found.spatial_forward is found.spatial is found.spatial_reversed and math.isnan(found.consistency)
    expected = {
        "yes_minus_no": [-0.6931, -1.3863],
        "yes_minus_no_after": [-0.4431, -0.8863],  # log .5 + .25 and log .25 + .5
        "v_share": [1.0, 1.0], "spatial_token": 2, "temporal_token": 2,
    }  # fmt: skip
    assert found.info | expected == found.info


def test_raw_rows_decide_for_the_other_token() -> None:
    raw = replace(SETTINGS, attention="raw")
    found = maps(look(session(), QUERY, PARTS, raw), raw)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.spatial, [[[0.5, 1.0]], [[0.5, 0.5]]], rtol=1e-6)
    assert found.info["spatial_token"] == found.info["temporal_token"] == 1


def test_the_track_the_interval_and_the_score() -> None:
    both = [track(LEFT, LEFT), track(RIGHT, RIGHT)]
    seen = look(session(), QUERY, PARTS, SETTINGS)  # type: ignore[arg-type]
    evidence, choice = join(seen, maps(seen, SETTINGS), both, SLOTS, session().view, FRAMES, SETTINGS, 0.0)
    np.testing.assert_allclose(evidence.track_scores, [0.8, 1.6], rtol=1e-6)
    np.testing.assert_allclose(evidence.frame_scores, [[0.8, 0.8], [0.8, 1.6]], rtol=1e-6)
    np.testing.assert_array_equal(evidence.spatial_map, np.array([[[0.5, 1]], [[0.5, 0.5]]], np.float16))
    np.testing.assert_array_equal(evidence.temporal_map, np.array([[[0.5, 0.5]], [[0.5, 1]]], np.float16))
    assert choice.chosen == evidence.chosen == 1
    assert choice.span == (21, 39), "slot 1 alone: from halfway between 10 and 30 to the end"
    # sqrt of (1 - .8 / 1.6) for the track and (1.6 - .8) / (1.6 + .8) for the frames
    assert choice.score == pytest.approx(math.sqrt(0.5 / 3))


def test_a_look_prefills_three_times_and_asks_in_three_batches() -> None:
    """At V = 0 for both questions and the neutral prompt, then the sentence with V_s and with V_t."""
    stand_in = session()
    look(stand_in, QUERY, PARTS, SETTINGS)  # type: ignore[arg-type]
    *questions, sentence, neutral = TABLE
    with_v = [step for question in questions for step in ("prefill", (sentence, question, None))]
    assert stand_in.log == ["prefill", (*questions, neutral, None), *with_v]
    stand_in.log.clear()
    look(stand_in, QUERY, PARTS, SETTINGS, keep=False)  # type: ignore[arg-type]
    assert stand_in.log == [(*questions,), "release", *with_v], "what was kept is not asked again"


def test_without_steps_one_look_serves_both_branches() -> None:
    """One batch at V = 0; the neutral rows are asked for once, the sentence's each time."""
    plain, stand_in = replace(SETTINGS, lra_steps=0), session()
    *questions, sentence, neutral = TABLE
    for asked in ((*questions, sentence, neutral, None), (*questions, sentence, None)):
        stand_in.log.clear()
        seen = look(stand_in, QUERY, PARTS, plain)  # type: ignore[arg-type]
        assert stand_in.log[-1] == asked
        assert seen.temporal is seen.spatial and len(seen.v_share) == len(seen.yes_minus_no_after) == 0
        np.testing.assert_allclose(seen.spatial, np.broadcast_to(evenly(0.1, 0.5), seen.spatial.shape))
        assert "v_share" not in maps(seen, plain).info


@pytest.mark.parametrize(("tas", "shares"), [(False, [1.0]), (True, [0.5, 1.0])])
def test_progress_goes_by_the_directions_that_are_done(tas: bool, shares: list[float]) -> None:
    ticks: list[float] = []
    look(session(), QUERY, PARTS, replace(SETTINGS, tas=tas), ticks.append)  # type: ignore[arg-type]
    assert ticks == shares


def test_a_second_step_begins_where_the_first_one_ended() -> None:
    """V_s is 1 after one step; the next is 8 * .5 * exp(.25) * .25 = exp(.25) longer, on a prefill of its own."""
    stand_in, question = session(), next(iter(TABLE))
    zero, prefix = stand_in.origin(backwards=False, learnable=True)
    margins = stand_in.ask(prefix, [question]).yes_minus_no
    (v,) = learn(stand_in, zero, margins, [question], replace(SETTINGS, lra_steps=2))  # type: ignore[arg-type]
    np.testing.assert_allclose(v.numpy()[:, :, 0], [[0, 1 + math.exp(0.25)], [0, 0]])
    assert stand_in.log == ["prefill", (question,), "prefill", (question,)]


def test_one_bright_slot_is_worth_more_than_many_dim_ones() -> None:
    """S_obj is a maximum over frames: the left is brighter on the whole, the right for a moment."""
    seen = look(session(), QUERY, PARTS, SETTINGS)  # type: ignore[arg-type]
    found = maps(seen, SETTINGS)
    bright = replace(found, spatial=np.array([[[0.9, 0.1]], [[0.9, 1.0]]], np.float32))
    both = [track(LEFT, LEFT), track(RIGHT, RIGHT)]
    evidence, choice = join(seen, bright, both, SLOTS, session().view, FRAMES, SETTINGS, 0.0)
    np.testing.assert_allclose(evidence.track_scores, [0.9, 1.0])
    assert choice.chosen == 1


def half(boxes: Array) -> Array:
    """What a model sees of boxes that is shown the right half of the frame alone."""
    shown: Array = np.clip((boxes - [0.5, 0, 0.5, 0]) * [2, 1, 2, 1], 0, 1)
    return shown


def test_boxes_are_compared_with_the_map_as_the_model_sees_them() -> None:
    """Both tracks lie in the frame's right half, and in different halves of what is shown."""
    inner, outer = track((0.5, 0, 0.75, 1), (0.5, 0, 0.75, 1)), track((0.75, 0, 1, 1), (0.75, 0, 1, 1))
    seen = look(session(), QUERY, PARTS, SETTINGS)  # type: ignore[arg-type]
    evidence, choice = join(seen, maps(seen, SETTINGS), [inner, outer], SLOTS, half, FRAMES, SETTINGS, 0.0)
    np.testing.assert_array_equal(evidence.seen[:, 0], [LEFT, RIGHT])
    np.testing.assert_array_equal(evidence.track_boxes[:, 0], [(0.5, 0, 0.75, 1), (0.75, 0, 1, 1)])
    np.testing.assert_allclose(evidence.track_scores, [0.8, 1.6], rtol=1e-6)
    assert choice.chosen == 1


def test_the_ends_too_go_by_boxes_as_the_model_sees_them() -> None:
    inner, outer = track((0.5, 0, 0.75, 1), (0.5, 0, 0.75, 1)), track((0.75, 0, 1, 1), (0.75, 0, 1, 1))
    seen = look(session(), QUERY, PARTS, SETTINGS)  # type: ignore[arg-type]
    second = second_look_of(seen, (0, 39), SLOTS, half, [inner, outer], 0, inner)
    np.testing.assert_array_equal(second.seen[:, 1], [LEFT, RIGHT])
    np.testing.assert_allclose(second_scores(second, SETTINGS), [[0.8, 0.8], [0.8, 1.6]], rtol=1e-6)


@pytest.mark.parametrize(
    ("bend", "share", "gain"), [(0.5, 1.0, 0.0), (0.75, 0.5, 0.03125), (1.5, 0.25, 0.015625), (4.0, 0.0, 0.0)]
)
def test_the_guard_takes_the_largest_share_with_which_yes_is_no_less_likely(
    bend: float, share: float, gain: float
) -> None:
    """With a share s of V_s = 1 the margin grows by .25 s - bend / 2 * s * s, up to s = .5 / bend."""
    question, guarded = next(iter(TABLE)), replace(SETTINGS, lra_guard=True)
    table = TABLE | {question: replace(TABLE[question], bend=bend)}
    stand_in = StandIn(np.ones((2, 2, 1)), (1, 2), table.__getitem__)
    seen = look(stand_in, QUERY, PARTS, guarded)  # type: ignore[arg-type]
    assert seen.v_share.tolist() == [share, 1.0]
    np.testing.assert_allclose(seen.yes_minus_no_after, [math.log(0.5) + gain, math.log(0.25) + 0.5], rtol=1e-6)
    expected = [[[0.8, 0.8 * (1 + share)]], [[0.8, 0.8]]]
    np.testing.assert_allclose(maps(seen, guarded).spatial, expected, rtol=1e-6)


def test_a_branch_that_learns_no_v_has_no_share() -> None:
    spatial = replace(SETTINGS, lra_branches=("spatial",))
    found = maps(look(session(), QUERY, PARTS, spatial), spatial)  # type: ignore[arg-type]
    assert found.info["v_share"] == [1.0, None], "None, which JSON can hold"
    assert found.info["yes_minus_no_after"] == [-0.4431, -1.3863]
    np.testing.assert_allclose(found.temporal, [[[0.8, 0.8]], [[0.8, 0.8]]], rtol=1e-6)


def test_v_s_may_be_learnt_with_the_whole_sentence() -> None:
    """It says yes to the right cell of slot 1 then, where Q_s says yes to that of slot 0."""
    sentence, settings = "Is there the man in red who sits in this video?", replace(SETTINGS, v_s_question="sentence")
    table = TABLE | {sentence: Says(math.log(0.5), np.array([[[0], [0]], [[0], [0.25]]]), evenly(0))}
    stand_in = StandIn(np.ones((2, 2, 1)), (1, 2), table.__getitem__)
    found = maps(look(stand_in, QUERY, PARTS, settings), settings)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.spatial, [[[0.8, 0.8]], [[0.8, 1.6]]], rtol=1e-6)
    np.testing.assert_allclose(found.info["yes_minus_no_after"], [-0.4431, -0.8863])
