"""What is done where a GPU's memory does not suffice, on the stand-ins of :mod:`tests.core.by_hand`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from stvg_core.errors import ModelError
from stvg_core.proposals.following import DrawnBox
from stvg_core.tube import FEWER_SLOTS, Grounding, Track
from tests.core.by_hand import FRAMES, QUERY, RIGHT, MakeBench
from tests.method.stand_in import Shown


def test_memory_is_found_by_computing_again(bench: MakeBench) -> None:
    """One failure: the same slots, the session's graph made anew; the model remembers it."""
    made = bench()
    made.failures = 1
    found = made.grounder.ground("clip.mp4", QUERY)
    assert found.tube is not None and (found.tube.start_frame, found.tube.end_frame) == (409, 543)
    assert made.sessions[0].recompute and made.grounder.loaded.recompute and found.warnings == ()
    assert len(made.clips) == 1


@pytest.mark.parametrize("changes", [{"lra_steps": 0}, {}], ids=["no gradients", "recomputed already"])
def test_where_that_changes_nothing_half_of_the_slots_are_looked_at(bench: MakeBench, changes: dict[str, Any]) -> None:
    made = bench(second_look=False, **changes)
    made.most = 10
    stages: list[str] = []
    found = made.grounder.ground("clip.mp4", QUERY, progress=lambda share, stage: stages.append(stage))
    assert found.evidence.slot_frames.tolist() == list(range(50, FRAMES, 100))
    assert found.evidence.info["slots_after_out_of_memory"] == 10 and "only 10 frames" in found.warnings[-1]
    assert found.tube is not None and (found.tube.start_frame, found.tube.end_frame) == (401, 500)
    assert bool(made.grounder.loaded.recompute) == ("lra_steps" not in changes), "tried where there is a gradient only"
    assert stages.count("decode") == 1, "progress does not begin again"
    assert made.sessions[-1].log.count("release") == 2, "nothing is kept for further sentences"
    clips = len(made.clips)
    again = made.grounder.ground("other.mp4", QUERY)
    assert again.evidence.info["slots_after_out_of_memory"] == 10 and len(made.clips) == clips + 1, "remembered"
    assert len(made.sessions[-1].visual) == 10


def test_of_two_slots_one_is_left(bench: MakeBench) -> None:
    made = bench(second_look=False, n_slots=2)
    made.most = 1
    found = made.grounder.ground("clip.mp4", QUERY)
    assert found.evidence.slot_frames.tolist() == [FRAMES // 2] and found.evidence.info[FEWER_SLOTS] == 1
    assert found.tube is not None and (found.tube.start_frame, found.tube.end_frame) == (0, FRAMES - 1)


def test_where_memory_is_short_nothing_is_kept_for_the_sentences_that_follow(bench: MakeBench) -> None:
    made = bench(second_look=False, lra_steps=0)
    made.most = 10
    made.grounder.ground_many("clip.mp4", [QUERY, "the dog in blue who sits"])
    assert [len(session.visual) for session in made.sessions] == [20, 10]
    assert made.sessions[1].log.count("release") == 3, "after each look, and at the end"


def test_what_is_computed_again_is_not_kept_either(bench: MakeBench) -> None:
    made = bench(second_look=False)
    made.failures = 1
    made.grounder.ground_many("clip.mp4", [QUERY, "the dog in blue who sits"])
    assert len(made.sessions) == 1
    assert made.sessions[0].log.count("release") == 4, "for the second try, after each look, and at the end"


def test_where_the_memory_does_not_suffice_at_all(bench: MakeBench) -> None:
    made = bench()
    made.most = 1
    with pytest.raises(ModelError, match="not even for 10 frames instead of 20") as error:
        made.grounder.ground("clip.mp4", QUERY)
    assert str(error.value) == (
        "The memory of cpu does not suffice, not even for 10 frames instead of 20. "
        "Take a smaller model, precision 4bit, or a GPU that nothing else uses."
    )
    assert all(clip.closed for clip in made.clips)
    made.most = FRAMES
    found = made.grounder.ground("clip.mp4", QUERY)
    assert len(found.evidence.slot_frames) == 20, "what did not help is not remembered"


def test_extending_tries_twice(bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench()
    made.grounder.ground("clip.mp4", QUERY)
    tries = []

    def follow(*_: object) -> Track:
        tries.append(made.clips[0].closed)
        raise MemoryError

    monkeypatch.setattr(made.proposer, "follow", follow)
    with pytest.raises(ModelError) as error:
        made.grounder.extend("clip.mp4", DrawnBox(20, np.array(RIGHT)), 10, 30)
    assert str(error.value) == (
        "The memory of cpu does not suffice to follow the box. Take a smaller tracker, or a GPU that nothing else uses."
    )
    assert tries == [1, 2], "the last video was let go of before the second try"


def test_that_two_graphs_do_not_fit_is_found_out_once(bench: MakeBench) -> None:
    """Of the forward and the reversed video, in whatever order sentences make them; then on the next video, too."""
    made = bench(second_look=False, tas=True)
    made.graphs = 1
    for video in ("clip.mp4", "other.mp4"):
        found = made.grounder.ground_many(video, [QUERY, "the dog in blue who sits"] * 3)
        assert all(one.warnings == () and len(one.evidence.slot_frames) == 20 for one in found)
        assert made.refused == 1, "not tried again"
    assert len(made.sessions) == 2, "the vision tower runs once for each video"


SEVERAL = [QUERY, "the man in red who runs", "the dog in blue who sits", "the cat in grey who lies", "  ", QUERY, QUERY]


def test_where_the_prefills_cannot_be_kept_sentences_share_them_as_a_group(bench: MakeBench) -> None:
    """The first sentence alone, then four of which one fails, then two; each group has one prefill at V = 0."""
    made, seen = bench(second_look=False), []
    made.keeps = False
    found = list(
        made.grounder.ground_each("clip.mp4", SEVERAL, progress=lambda share, stage: seen.append((share, stage)))
    )
    assert [isinstance(one, Exception) for one in found] == [False] * 4 + [True] + [False] * 2
    assert "at once" not in str(made.sessions[0].log)
    assert made.sessions[0].log.count("prefill") == (1 + 2) + (1 + 3 * 2) + (1 + 2 * 2)
    assert made.sessions[0].log.count("release") == 3 + 1, "after each group's look, and at the end"
    alone = made.grounder.ground("clip.mp4", SEVERAL[2])
    assert isinstance(found[2], Grounding) and found[2].evidence.to_bytes() == alone.evidence.to_bytes()
    for one in (found[0], found[3]):
        assert isinstance(one, Grounding) and {"decompose", "attention"} <= set(one.timings)
    starts = [n for n, (_, stage) in enumerate(seen) if stage == "decode"]
    assert len(starts) == len(SEVERAL) - 1, "each sentence but the one without words"
    for first, last in zip(starts, [*starts[1:], len(seen)], strict=True):
        shares = [share for share, _ in seen[first:last]]
        assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1


def test_where_a_batch_gains_sentences_are_looked_at_together(bench: MakeBench) -> None:
    made = bench(second_look=False)
    made.batch = 8
    found = made.grounder.ground_many("clip.mp4", SEVERAL[:4])
    log = made.sessions[0].log
    assert log.count("6 at once") == 1 and log.count("prefill") == 1 + 4 * 2, "one at V = 0 for all"
    assert [one.query for one in found] == SEVERAL[:4] and len(made.clips) == 1


def test_a_group_for_which_the_memory_does_not_suffice_is_not_tried_again(bench: MakeBench) -> None:
    made = bench(second_look=False)
    made.keeps = False
    found = made.grounder.ground_each("clip.mp4", [QUERY] * 7)
    first = next(found)
    made.failures = 2  # also after what is kept was let go of
    rest = list(found)
    assert all(isinstance(one, Grounding) and one.warnings == () for one in [first, *rest])
    assert len(made.sessions) == 1 and made.failures == 0
    assert made.sessions[0].log.count("prefill") == 7 * 3, "one by one"


def test_what_a_group_saw_is_dropped_with_its_frames(bench: MakeBench) -> None:
    """The second sentence's second look fails: it and the third see half of the frames, each anew."""
    made = bench()
    made.batch = 8
    found = made.grounder.ground_each("clip.mp4", [QUERY] * 3)
    next(found)
    real, calls = made.grounder._ground, []

    def failing(asked: Any) -> Grounding:
        calls.append(asked.looked is not None)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(asked)

    made.grounder._ground = failing  # type: ignore[method-assign]
    rest = list(found)
    assert calls == [True, False, True]
    for one in rest:
        assert isinstance(one, Grounding) and len(one.evidence.slot_frames) == 10
        assert one.tube is not None and one.evidence.frame_scores.shape == (2, 10)


def test_a_group_that_is_stopped_by_its_progress_stops_one_sentence(bench: MakeBench) -> None:
    class Enough(Exception): ...

    looks = []

    def report(share: float, stage: str) -> None:
        looks.append((share, stage))
        if stage == "look" and share == 0.8 and sum(1 for one in looks if one == (0.8, "look")) == 2:
            raise Enough

    made = bench(second_look=False)
    made.keeps = False
    found = list(made.grounder.ground_each("clip.mp4", [QUERY] * 4, progress=report))
    assert [type(one) for one in found] == [Grounding, Enough, Grounding, Grounding]


def test_a_group_that_fails_otherwise_is_done_one_by_one_and_says_so(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = bench(second_look=False)
    made.batch = 8
    found = made.grounder.ground_each("clip.mp4", [QUERY] * 4)
    first = next(found)

    real = made.sessions[0].prefill_each

    def broken(vs: list[torch.Tensor], **given: bool) -> list[Shown]:
        if len(vs) > 1:
            raise RuntimeError("no such kernel")
        return real(vs, **given)

    monkeypatch.setattr(made.sessions[0], "prefill_each", broken)
    rest = list(found)
    assert all(isinstance(one, Grounding) for one in [first, *rest])
    assert [record.message for record in caplog.records] == [
        "Sentences are looked at one by one, as a group failed: no such kernel"
    ]
