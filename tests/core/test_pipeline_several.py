"""Sentences as a group, on the stand-ins of :mod:`tests.core.by_hand`: who is in it, and what is kept."""

from __future__ import annotations

import pytest

from stvg_core.tube import Segment
from tests.core.by_hand import QUERY, Bench, MakeBench


def in_batches(bench: MakeBench) -> Bench:
    """Where a batch gains: the first sentence goes alone, then four at a time."""
    made = bench(second_look=False)
    made.batch = 8
    return made


def test_what_a_group_needed_is_kept_for_the_sentences_after_it(bench: MakeBench) -> None:
    made = in_batches(bench)
    made.grounder.ground_many("clip.mp4", [QUERY] * 6)
    log = made.sessions[0].log
    assert log.count("8 at once") == 1 and log.count("prefill") == 1 + 6 * 2, "one at V = 0 for all"
    assert log.count("release") == 2, "after the look of the last one, and at the end"


def test_after_the_last_group_nothing_is_kept(bench: MakeBench) -> None:
    made = in_batches(bench)
    made.grounder.ground_many("clip.mp4", [QUERY] * 4)
    log = made.sessions[0].log
    assert log.count("6 at once") == 1 and log.count("release") == 2, "after the group's look, and at the end"
    assert log.index("release") < log.index("6 at once"), "the graph is gone before the prefills with V are made"


@pytest.mark.parametrize(("video", "segment"), [("other.mp4", None), ("clip.mp4", (200, 799))])
def test_a_group_never_sees_the_video_before(bench: MakeBench, video: str, segment: Segment | None) -> None:
    made = in_batches(bench)
    made.grounder.ground("clip.mp4", QUERY)
    before = list(made.sessions[0].log)
    found = made.grounder.ground_many(video, [QUERY] * 3, segment=segment)
    assert made.sessions[0].log == before
    assert made.sessions[1].log.count("4 at once") == 1, "the first sentence opens the video, two are left"
    assert [one.segment for one in found] == [segment] * 3
