"""What the page of one task is told, and what its scripts draw."""

from __future__ import annotations

import json

import numpy as np
import pytest

from backend.db.engine import Database
from backend.review import decisions, item, overlays, to_check
from backend.review.diff import unpack
from backend.review.disagreement import record_due
from backend.review.drawn_tube import Drawn
from tests.review.labelled import CORRECTED, SUGGESTED, a_correction, a_job, a_suggestion, a_task, evidence


def test_a_corrected_task(database: Database) -> None:
    with database.write() as session:
        task = a_task(session, 11)
        suggestion = a_suggestion(session, task)
        first = a_correction(session, task, suggestion, keyframes=SUGGESTED)
        decisions.decide(
            session, task.id, "rejected", reason="boxes loose", comment="see", reviewer="rita", seen=first.id
        )
        second = a_correction(session, task, suggestion)
    with database.read() as session:
        found = item.look(session, task.id)
    assert found is not None and found.label is not None and found.suggestion is not None and found.video is not None
    assert [(v.version, v.change, v.counts) for v in found.versions] == [
        (2, "ends and boxes moved", True), (1, "accepted as is", False),
    ]  # fmt: skip
    assert found.seen == second.id and found.decidable
    assert (found.label.start_shift, found.label.end_shift) == (4, 4)
    assert found.label.viou is not None and 0 < found.label.viou < 1
    assert found.standing is None, "the rejection was about the older version"
    (decision,) = found.decisions
    assert (decision.decision, decision.comment, decision.holds) == ("rejected", "see", True)
    assert decision.about.endswith("version 1")
    assert found.row.state == "to review" and found.video.n_frames == 60
    assert found.suggestion.timings == (("attention", 1.5), ("total", 2.0))
    assert found.suggestion.split is True and found.suggestion.tracks == 2
    assert found.suggestion.uncertainty is not None and 0 <= found.suggestion.uncertainty.value <= 1


def test_what_was_taken_back_does_not_hold(database: Database) -> None:
    with database.write() as session:
        task = a_task(session, 11)
        a_suggestion(session, task)
        decisions.decide(session, task.id, "accepted", reviewer="rita", seen=None)
        decisions.undo(session, task.id, reviewer="rita")
    with database.read() as session:
        found = item.look(session, task.id)
    assert found is not None and found.standing is None and found.seen is None and found.decidable
    assert [(one.decision, one.holds) for one in found.decisions] == [("undone", False), ("accepted", False)]
    assert {one.about for one in found.decisions} == {"the suggestion"}


def test_a_task_that_waits_and_one_that_failed(database: Database) -> None:
    with database.write() as session:
        waits, failed = a_task(session, 11), a_task(session, 12)
        a_job(session, failed, state="failed", reason="clip.mp4 is not a video.")
        numbers = waits.id, failed.id
    with database.read() as session:
        one, other = (item.look(session, number) for number in numbers)
        drawn = overlays.look(session, waits.id)
    assert one is not None and one.row.state == "waiting" and not one.decidable and one.video is None
    assert other is not None and other.row.reason == "clip.mp4 is not a video."
    assert drawn == {"tubes": [], "apart": [], "iou": None, "scores": None, "maps": None, "times": None}


def test_the_frame_to_check_is_named(database: Database) -> None:
    with database.write() as session:
        task = a_task(session, 11)
        a_suggestion(session, task)
    with database.read() as session:
        found = item.look(session, task.id)
        first = to_check.first_of_tasks(session, [task.id, 99])
    assert found is not None and found.suggestion is not None
    check = found.suggestion.check
    assert [(one.frame, one.kind, one.weight) for one in check] == [(10, "start", 0.5), (40, "end", 0.5)]
    assert first == {task.id: check[0]}


def test_where_the_correction_leaves_the_suggestion_is_marked(database: Database) -> None:
    moved = [[10, 0.7, 0.7, 0.8, 0.8], [44, 0.7, 0.7, 0.8, 0.8]]
    with database.write() as session:
        task = a_task(session, 11)
        a_correction(session, task, a_suggestion(session, task), keyframes=moved)
    with database.read() as session:
        drawn = overlays.look(session, task.id)
    assert drawn is not None
    assert drawn["apart"] == [{"whose": "correction", "stretches": [[10, 40, "drift"], [41, 44, "alone"]]}]


def test_no_such_task(database: Database) -> None:
    with database.read() as session:
        assert item.look(session, 7) is None and overlays.look(session, 7) is None


def test_what_is_drawn(database: Database) -> None:
    with database.write() as session:
        task = a_task(session, 11)
        suggestion = a_suggestion(session, task)
        row = a_correction(session, task, suggestion)
    with database.read() as session:
        drawn = overlays.look(session, task.id)
        both = item.recording.of_annotation(session.get_one(type(row), row.id)).overlap
    assert drawn is not None and both is not None
    assert json.loads(json.dumps(drawn, allow_nan=False)) == drawn
    assert [(tube["name"], tube["intervals"]) for tube in drawn["tubes"]] == [
        ("suggestion", [[10, 40]]), ("correction", [[14, 44]]),
    ]  # fmt: skip
    assert drawn["tubes"][0]["keyframes"] == SUGGESTED
    assert np.allclose(drawn["tubes"][1]["keyframes"], CORRECTED, atol=1e-4)
    assert drawn["iou"]["first_frame"] == 10
    assert np.allclose(drawn["iou"]["values"], both.frame_ious, atol=1e-3)
    assert drawn["iou"]["values"][:4] == [0, 0, 0, 0], "the suggestion alone"
    scores, maps = drawn["scores"], drawn["maps"]
    assert scores["slots"] == evidence().slot_frames.tolist() and scores["chosen"] == 1
    assert scores["tracks"][1]["boxes"][0] is None and len(scores["tracks"][1]["boxes"][1]) == 4
    assert scores["tracks"][1]["frames"][2] == 1.0
    assert (scores["weight"], scores["tracks"][1]["choice"]) == (None, None), "evidence of before that was kept"
    assert (maps["height"], maps["width"]) == (2, 3)
    assert maps["spatial"][-1][-1] == 255 and maps["spatial"][0][0] == 0 and len(maps["temporal"]) == 6


def test_breaks_stay_breaks(database: Database) -> None:
    """A region that was switched off in between is not drawn there, and its overlap is unknown where nobody is."""
    entry = {
        "region_id": "r",
        "label": "Target",
        "intervals": [[14, 20], [50, 55]],
        "keyframes": [*CORRECTED[:1], [55, *CORRECTED[1][1:]]],
    }
    with database.write() as session:
        task = a_task(session, 11)
        a_correction(session, task, a_suggestion(session, task), tubes=[entry])
    with database.read() as session:
        drawn = overlays.look(session, task.id)
    assert drawn is not None
    assert drawn["tubes"][1]["intervals"] == [[14, 20], [50, 55]]
    assert drawn["iou"]["values"][41 - 10 : 50 - 10] == [None] * 9


def test_further_objects_and_what_others_drew(database: Database) -> None:
    answer = {"region_id": "a", "label": "Target", "intervals": [[14, 44]], "keyframes": CORRECTED}
    second = {
        **answer,
        "region_id": "b",
        "label": None,
        "sentence": "the green star",
        "intervals": [[0, 3]],
        "keyframes": [[0, 0.7, 0.7, 0.8, 0.8], [3, 0.7, 0.7, 0.8, 0.8]],
    }
    with database.write() as session:
        task = a_task(session, 11)
        suggestion = a_suggestion(session, task)
        a_correction(session, task, suggestion, who=3)
        a_correction(session, task, suggestion, who=5, tubes=[answer, second])
    assert record_due(database) == 1
    with database.read() as session:
        drawn = overlays.look(session, task.id)
        found = item.look(session, task.id)
    assert drawn is not None and found is not None
    assert {tube["kind"]: tube["title"] for tube in drawn["tubes"]} == {
        "suggestion": "Suggestion", "correction": "Correction", "object": "Object: the green star",
        "consensus": "Consensus", "other": "Annotator 3",
    }  # fmt: skip
    assert found.row.disagreement == pytest.approx(0, abs=1e-3)


def test_who_stands_apart_from_the_others_is_named(database: Database) -> None:
    elsewhere = [[14, 0.7, 0.7, 0.8, 0.8], [44, 0.7, 0.7, 0.8, 0.8]]
    with database.write() as session:
        task = a_task(session, 11)
        suggestion = a_suggestion(session, task)
        for who, keyframes in ((3, CORRECTED), (5, CORRECTED), (7, elsewhere)):
            a_correction(session, task, suggestion, who=who, keyframes=keyframes)
        alone = a_task(session, 12)
        a_correction(session, alone, a_suggestion(session, alone))
    with database.read() as session:
        found, other = item.look(session, task.id), item.look(session, alone.id)
    assert found is not None and found.apart == (7,)
    assert other is not None and other.apart == ()


def test_a_skip_and_a_deletion_draw_nothing(database: Database) -> None:
    with database.write() as session:
        task = a_task(session, 11)
        a_correction(session, task, a_suggestion(session, task), tubes=[], was_cancelled=True)
    with database.read() as session:
        drawn, found = overlays.look(session, task.id), item.look(session, task.id)
    assert drawn is not None and found is not None
    assert [tube["name"] for tube in drawn["tubes"]] == ["suggestion"] and drawn["iou"] is None
    assert found.row.state == "skipped"


def test_a_video_without_candidates(database: Database) -> None:
    with database.write() as session:
        task = a_task(session, 11)
        a_suggestion(session, task, keyframes=None, score=0.0)
    with database.read() as session:
        drawn, found = overlays.look(session, task.id), item.look(session, task.id)
    assert drawn is not None and drawn["tubes"] == []
    assert (
        found is not None and found.suggestion is not None and found.suggestion.start_frame is None and found.decidable
    )


def test_evidence_that_cannot_be_read_leaves_the_rest(database: Database) -> None:
    with database.write() as session:
        task = a_task(session, 11)
        a_suggestion(session, task, evidence=b"no archive")
    with database.read() as session:
        drawn, found = overlays.look(session, task.id), item.look(session, task.id)
    assert drawn is not None and drawn["scores"] is None and drawn["maps"] is None and len(drawn["tubes"]) == 1
    assert found is not None and found.suggestion is not None and found.suggestion.uncertainty is None


def test_the_stored_overlap_is_what_is_drawn(database: Database) -> None:
    """From the diff's own bytes, whatever the boxes are now."""
    with database.write() as session:
        task = a_task(session, 11)
        row = a_correction(session, task, a_suggestion(session, task))
        stored = item.versions.present(session, task.id)
        assert stored is not None and stored.id == row.id
        found = overlays.diffs.find(session, row.id)
        assert found is not None and found.frame_ious is not None
        values = unpack(found.frame_ious)
    with database.read() as session:
        drawn = overlays.look(session, task.id)
    assert drawn is not None and np.allclose(drawn["iou"]["values"], values, atol=1e-4)
    assert Drawn.stored({"keyframes": drawn["tubes"][0]["keyframes"]}).tube.end_frame == 40
