"""The whole way with numbers that can be worked out by hand, see :mod:`tests.core.by_hand`.

20 slots of 1000 frames stand for frames 25, 75, ... 975; three of them, 425 to 525, lie in the action (400 to 549). The
first look says 401 (after halfway from 375 to 425) to 550. Three sampled frames (150) on both sides are 251 to 700. 20
slots of those stand for 251 + 11, 33, 56, 78, 101, 123, 146, 168, 191, 213, 236, 258, 281, 303, ...: the action holds
419 (251 + 168) to 532 (251 + 281), with 397 before it and 554 after it. So it lasts from 409 to 543.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stvg_core.errors import QueryError
from stvg_core.locating.attention import AttentionView
from stvg_core.locating.base import Located, Question
from stvg_core.proposals.following import DrawnBox
from stvg_core.query import NEUTRAL_PROMPT, SubQueries
from tests.core.by_hand import FRAMES, LEFT, QUERY, RIGHT, MakeBench, whole

SLOTS = list(range(25, FRAMES, 50))
AGAIN = [262, 284, 307, 329, 352, 374, 397, 419, 442, 464, 487, 509, 532, 554, 577, 599, 622, 644, 667, 689]


def test_the_exact_tube(bench: MakeBench) -> None:
    made, seen = bench(), []
    found = made.grounder.ground("clip.mp4", f"  {QUERY}\n", progress=lambda share, stage: seen.append((share, stage)))
    assert found.tube is not None
    assert (found.tube.start_frame, found.tube.end_frame) == (409, 543)
    np.testing.assert_array_equal(found.tube.boxes, [RIGHT] * 135)
    # 1 - .25 / .75 for the track; inside .75, outside .25 for the frames
    assert found.score == pytest.approx(math.sqrt((1 - 1 / 3) * 0.5))
    assert found.evidence.info["second_look"] == [251, 700, 409, 543]
    assert found.evidence.slot_frames.tolist() == SLOTS and found.evidence.chosen == 1
    assert found.evidence.second is not None and found.evidence.second.slots.tolist() == AGAIN
    assert seen == [
        (0.0, "decode"), (0.1, "propose"), (0.4, "look"), (0.8, "look"), (0.8, "refine"), (1.0, "done")
    ]  # fmt: skip
    (clip,) = made.clips
    assert clip.reads == [SLOTS, AGAIN] and clip.expected == [0, FRAMES - 1] and clip.closed == 1
    assert made.sessions[0].log[-1] == "release"


def test_who_is_asked_what(bench: MakeBench) -> None:
    made = bench()
    found = made.grounder.ground("clip.mp4", QUERY)
    assert made.proposer.phrases == ["the man in red"], "the proposer hears the attribute phrase, not the sentence"
    assert made.proposer.spans == [(401, 550)] and made.proposer.lengths == [FRAMES]
    assert (found.query, found.attribute_query, found.action_query) == (QUERY, "the man in red", "the man sits")
    info = found.evidence.info
    assert info["spatial_question"] == "Is there the man in red in this video?"
    assert info["temporal_question"] == "Is there the man sits in this video?"
    assert info["split"] is True and info["proposer_weight"] == 1.0 and info["choice_weight"] == 0.0
    assert "prompt" not in info and "slots_after_out_of_memory" not in info and found.warnings == ()
    assert found.model_version == "stand-in" and found.video is made.clips[0].info
    questions, with_s, with_t = (
        entry for entry in made.sessions[0].log if isinstance(entry, tuple)
    )  # the sentence is shown as a statement
    assert questions[:2] == (info["spatial_question"], info["temporal_question"])
    assert with_s[0] == with_t[0] == f"{QUERY}."
    stages = {"decompose", "decode", "vision", "propose", "attention", "join", "densify", "second_look"}
    assert set(found.timings) == {*stages, "total"}
    assert found.timings["total"] == pytest.approx(sum(found.timings[stage] for stage in stages))


def test_what_the_view_is_told_of_a_sentence(bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    made, told, real = bench(), [], AttentionView.locate

    def locate(view: AttentionView, question: Question, *given: Any) -> Located:
        told.append(question)
        return real(view, question, *given)

    monkeypatch.setattr(AttentionView, "locate", locate)
    made.grounder.ground("clip.mp4", f"  {QUERY}\n")
    parts = SubQueries("the man in red", "the man sits", found=True)
    assert told == [Question(QUERY, f"{QUERY}.", parts, through=None, keep=False, looked=None)]


def test_what_the_second_look_is_asked_and_looks_at(bench: MakeBench) -> None:
    made, upper = bench(), (0.5, 0.0, 1.0, 0.5)
    made.proposer.dense = whole(upper)
    found = made.grounder.ground("clip.mp4", QUERY)
    (asked,) = (entry for entry in made.sessions[1].log if isinstance(entry, tuple))
    questions = [f"Is there {words} in this video?" for words in ("the man in red", "the man sits")]
    assert asked == (*questions, f"{QUERY}.", NEUTRAL_PROMPT, None)
    second = found.evidence.second
    assert second is not None and found.evidence.rows is not None
    np.testing.assert_array_equal(second.boxes[:, 7], [LEFT, upper])


def test_what_the_dense_track_does_sets_the_ends_and_is_kept(bench: MakeBench) -> None:
    acts = np.array([[410, 540]])
    for snap in (True, False):
        made = bench(snap_ends=snap, second_look=False)
        made.proposer.dense = replace(whole(RIGHT), acts=acts)
        found = made.grounder.ground("clip.mp4", QUERY)
        assert found.tube is not None
        assert (found.tube.start_frame, found.tube.end_frame) == ((410, 540) if snap else (401, 550))
        np.testing.assert_array_equal(found.evidence.acts, [[found.evidence.chosen, 410, 540]])


def test_it_is_said_that_nothing_is_worth_choosing_from(bench: MakeBench) -> None:
    still = [replace(whole(LEFT), source="regions"), replace(whole(RIGHT), source="regions")]
    found = bench(still).grounder.ground("clip.mp4", QUERY)
    assert found.tube is not None and found.evidence.info["no_candidate_moves"] == 2
    (said,) = found.to_json()["warnings"]
    assert "None of the 2 candidates moves" in said
    assert bench([still[0], whole(RIGHT)]).grounder.ground("clip.mp4", QUERY).warnings == ()


def test_the_sentence_as_the_spatial_question_is_in_the_evidence(bench: MakeBench) -> None:
    found = bench(v_s_question="sentence").grounder.ground("clip.mp4", QUERY)
    assert found.evidence.info["spatial_question"] == "Is there the man in red who sits in this video?"
    assert found.evidence.info["temporal_question"] == "Is there the man sits in this video?"


def test_both_directions_have_their_part_of_the_progress(bench: MakeBench) -> None:
    made, seen = bench(tas=True), []
    made.grounder.ground("clip.mp4", QUERY, progress=lambda share, stage: seen.append((share, stage)))
    assert [share for share, stage in seen if stage == "look"] == pytest.approx([0.4, 0.6, 0.8])


def test_without_a_second_look_the_first_one_stands(bench: MakeBench) -> None:
    found = bench(second_look=False).grounder.ground("clip.mp4", QUERY)
    assert found.tube is not None and (found.tube.start_frame, found.tube.end_frame) == (401, 550)
    assert found.evidence.second is None and "second_look" not in found.evidence.info


def test_given_tracks_are_used_and_nobody_is_asked_for_others(bench: MakeBench) -> None:
    made = bench()
    found = made.grounder.ground("clip.mp4", QUERY, tracks=[whole(LEFT)])
    assert found.tube is not None and found.tube.boxes[0].tolist() == list(LEFT)
    assert made.proposer.phrases == [] and made.clips[0].expected == []


def test_no_candidates_no_tube(bench: MakeBench) -> None:
    made, seen = bench([]), []
    found = made.grounder.ground("clip.mp4", QUERY, progress=lambda share, stage: seen.append(stage))
    assert found.tube is None and found.score == 0 and found.evidence.chosen == -1
    assert made.proposer.spans == [] and len(made.sessions) == 1 and seen[-1] == "done"


def test_a_drawn_box_stays_as_it_was_drawn(bench: MakeBench) -> None:
    made = bench()
    drawn, made.proposer.dense = DrawnBox(700, np.array([0.5, 0.25, 1.0, 1.0])), whole(RIGHT)
    shares: list[float] = []
    found = made.grounder.follow("clip.mp4", QUERY, drawn, progress=lambda share, stage: shares.append(share))
    assert found.tube is not None and found.tube.start_frame <= 700 <= found.tube.end_frame
    np.testing.assert_array_equal(found.tube.boxes[700 - found.tube.start_frame], drawn.box)
    assert found.evidence.info["prompt"] == {"frame": 700, "box": [0.5, 0.25, 1.0, 1.0]}
    assert len(found.evidence.track_scores) == 1 and made.proposer.phrases == []
    assert shares[0] == 0 and shares[-1] == 1 and made.clips[0].closed == 1


def test_the_first_look_holds_the_drawn_frame_too(bench: MakeBench) -> None:
    """Frame 700 is the last one of slot 13 (651 to 700); slots 8 to 10 are bright."""
    made = bench(second_look=False, interval="top_k", top_k=1)
    found = made.grounder.follow("clip.mp4", QUERY, DrawnBox(700, np.array(RIGHT)))
    assert found.tube is not None and (found.tube.start_frame, found.tube.end_frame) == (651, 700)


def test_sentences_share_one_video(bench: MakeBench) -> None:
    made, seen = bench(), []
    queries = [QUERY, "the man in red who runs", "the dog in blue who sits"]
    found = made.grounder.ground_many("clip.mp4", queries, progress=lambda share, stage: seen.append((share, stage)))
    assert [one.query for one in found] == queries
    assert len(made.clips) == 1 and made.proposer.phrases == ["the man in red", "the dog in blue"]
    assert [share for share, stage in seen if stage == "decode"] == pytest.approx([0, 1 / 3, 2 / 3])
    assert [share for share, stage in seen if stage == "done"] == pytest.approx([1 / 3, 2 / 3, 1])
    first = made.sessions[0].log
    assert first.count("release") == 2, "after the last look, and at the end"
    assert first.count("prefill") == 1 + 3 * 2, "one at V = 0 for all"
    assert made.clips[0].closed == 1
    made.grounder.ground("other.mp4", QUERY)
    assert len(made.clips) == 2 and made.clips[0].closed == 2


def test_the_first_error_of_several_sentences(bench: MakeBench) -> None:
    made = bench()
    with pytest.raises(QueryError):
        made.grounder.ground_many("clip.mp4", [QUERY, "  ", QUERY])
    one, other, last = made.grounder.ground_each("clip.mp4", [QUERY, "  ", QUERY])
    assert isinstance(other, QueryError) and not isinstance(one, Exception) and not isinstance(last, Exception)


def test_extending_follows_the_box_and_asks_no_model(bench: MakeBench) -> None:
    made, seen = bench(), []
    drawn = DrawnBox(20, np.array(RIGHT))
    found = made.grounder.extend("clip.mp4", drawn, 10, 30, progress=lambda share, stage: seen.append((share, stage)))
    np.testing.assert_array_equal(found.tube.boxes, [RIGHT] * 21)
    assert found.tube.start_frame == 10 and found.seen == (10, 30) and seen == [(0.1, "follow")]
    assert made.sessions == [] and made.clips[0].closed == 1 and made.clips[0].info.path == "clip.mp4"
    with pytest.raises(QueryError):
        made.grounder.extend("clip.mp4", drawn, 10, FRAMES)


def test_what_a_sentence_will_need(bench: MakeBench) -> None:
    made = bench()
    info = made.grounder.ground("clip.mp4", QUERY).video
    slots, searched = made.grounder.needs(info)
    assert slots.tolist() == SLOTS and searched.tolist() == [0, FRAMES - 1]
    slots, _ = made.grounder.needs(replace(info, n_frames=3))
    assert slots.tolist() == [0, 1, 2]


def test_a_file_that_changed_is_read_again(bench: MakeBench, tmp_path: Path) -> None:
    made, file = bench(), tmp_path / "clip.mp4"
    for content in ("one", "one", "another"):
        if not file.exists() or file.read_text() != content:
            file.write_text(content)
        made.grounder.ground(file, QUERY)
    assert len(made.clips) == 2
