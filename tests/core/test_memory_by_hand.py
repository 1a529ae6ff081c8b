"""What is done where a GPU's memory does not suffice, on the stand-ins of :mod:`tests.core.by_hand`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stvg_core.errors import ModelError
from stvg_core.proposals.following import DrawnBox
from stvg_core.tube import FEWER_SLOTS, Track
from tests.core.by_hand import FRAMES, QUERY, RIGHT, MakeBench


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
