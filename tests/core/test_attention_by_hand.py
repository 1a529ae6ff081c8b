"""The locator attention on the stand-ins of :mod:`tests.core.by_hand`: frames, the size of groups, single heads."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stvg_core.locating.attention import AttentionView, sampled
from stvg_core.query import SubQueries
from stvg_core.stopwatch import Stopwatch
from tests.core.by_hand import SETTINGS, Bench, Clip, Loaded, MakeBench

PARTS = SubQueries("the man in red", "the man sits", found=True)


def opened(made: Bench, n_frames: int, fused: int = 1) -> tuple[AttentionView, Clip]:
    """The first frames of the clip, in front of a model that fuses so many into one slot."""
    clip: Any = Clip("clip.mp4")
    clip.info = replace(clip.info, n_frames=n_frames)
    locator: Any = made.grounder.locator
    locator.loaded = Loaded(family=SimpleNamespace(frames_per_slot=fused, layers=None))
    return locator.open(clip, SETTINGS, Stopwatch()), clip


def test_a_short_video_is_seen_from_its_first_frame_on(bench: MakeBench) -> None:
    view, clip = opened(bench(), 3)
    assert view.slots.tolist() == [0, 1, 2] and clip.reads == [[0, 1, 2]]


def test_the_frame_in_the_middle_of_a_slot_stands_for_it(bench: MakeBench) -> None:
    view, clip = opened(bench(), 7, fused=3)
    assert clip.reads == [[0, 1, 2, 4, 5, 6]], "of seven frames, two slots of three"
    assert view.slots.tolist() == [1, 5] and view.slots.dtype == np.int64


def test_as_many_slots_as_the_part_of_the_video_can_fill() -> None:
    assert sampled(10, 14, 20, 2).tolist() == [10, 11, 13, 14], "two slots of two frames, of five frames"
    assert sampled(10, 14, 1, 2).tolist() == [11, 13]
    assert sampled(10, 10, 20, 2).tolist() == [10, 10], "one slot at least, though its frames are the same"


@pytest.mark.parametrize(
    ("keeps", "room", "batch", "expected"),
    [(True, True, 1, 1), (True, True, 2, 4), (False, True, 1, 4), (True, False, 1, 4)],
)
def test_sentences_are_grouped_where_a_batch_gains_or_nothing_is_kept(
    bench: MakeBench, keeps: bool, room: bool, batch: int, expected: int
) -> None:
    made = bench()
    made.keeps, made.batch = keeps, batch
    view, _ = opened(made, 3)
    view._locator.room.keep = room
    assert view.group(SETTINGS) == expected
    assert view.group(replace(SETTINGS, lra_steps=0)) == 1, "nothing is learnt that could be shared"
    view._locator.room.together = False
    assert view.group(SETTINGS) == 1, "it failed before"


def test_each_head_is_seen_for_itself(bench: MakeBench) -> None:
    """On paper, head l.h has the cells of the watched rows moved by h, times l + 1."""
    view, _ = opened(bench(), 1000)
    names, rows = view.look_apart("the man in red who sits.", PARTS, SETTINGS)
    assert names == ("0.0", "0.1", "1.0", "1.1", "2.0", "2.1")
    acts = (view.slots >= 400) & (view.slots <= 549)
    usual = np.stack([np.full(20, 0.25), np.where(acts, 0.75, 0.25)], axis=1)[None, :, None]
    expected = [times * head for times in (1, 2, 3) for head in (usual, usual[..., ::-1])]
    np.testing.assert_array_equal(rows.spatial, usual)
    np.testing.assert_array_equal(rows.temporal, expected)
    np.testing.assert_array_equal(rows.neutral_of_temporal, expected)
    session: Any = view.session
    assert session.heads_apart is True
    assert session.log.count("release") == 1, "it is asked once: nothing is kept for other sentences"
