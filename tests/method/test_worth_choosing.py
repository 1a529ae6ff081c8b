"""When is nothing worth choosing from? Regions that stay where they are, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from stvg_core.method.tracks import none_worth_choosing
from stvg_core.tube import Track

FRAMES, SLOTS = 50, 20


def at_slots(tracks: list[Track]) -> np.ndarray:
    return np.stack([track.at(np.linspace(0, FRAMES - 1, SLOTS).astype(int)) for track in tracks])


def standing(source: str = "regions", way: float = 0.0) -> Track:
    x = 0.1 + way * np.linspace(0, 1, FRAMES)
    return Track(np.arange(FRAMES), np.stack([x, 0 * x + 0.4, x + 0.2, 0 * x + 0.6], axis=1), source=source)


@pytest.mark.parametrize(
    ("tracks", "worthless"),
    [
        ([standing(), standing()], True),
        ([standing(), standing(way=0.04)], True),
        ([standing(), standing(way=0.2)], False),
        ([standing(), standing("people")], False),
        ([standing("file")], False),
        ([], False),
    ],
)
def test_only_still_regions_are_nothing_to_choose_from(tracks: list[Track], worthless: bool) -> None:
    boxes = at_slots(tracks) if tracks else np.empty((0, 20, 4))
    assert none_worth_choosing(tracks, boxes) is worthless


def test_a_track_that_is_wrong_once_or_seen_once_does_not_move() -> None:
    once = standing()
    once.boxes[20] += 0.3
    assert none_worth_choosing([once], once.boxes[None])
    short = np.full((1, 20, 4), np.nan)
    short[0, 3] = [0.1, 0.1, 0.2, 0.2]
    assert none_worth_choosing([standing()], short)


def boxes(*there: tuple[float, float, float, float]) -> np.ndarray:
    """One track that is seen at these slots alone, the first ones."""
    found = np.full((1, SLOTS, 4), np.nan)
    found[0, : len(there)] = there
    return found


@pytest.mark.parametrize(
    ("there", "worthless", "why"),
    [
        ([(0.1, 0.1, 0.2, 0.2), (0.5, 0.1, 0.6, 0.2)], False, "two places are a way"),
        ([(0.1, 0.1, 0.2, 0.2), (0.1, 0.1, 0.9, 0.2)], True, "one edge alone moves"),
        ([(0.1, 0.1, 0.2, 0.2), (0.1, 0.5, 0.2, 0.6)], False, "down, as well as sideways"),
        ([(0.1, 0.1, 0.5, 0.5), (0.2, 0.1, 0.6, 0.5)], True, "0.1 with a size of 0.4, as slow as a fifth of it"),
        ([(0.1, 0.1, 0.14, 0.14), (0.13, 0.1, 0.17, 0.14)], False, "0.03 with a size of 0.04"),
        ([(0.1, 0.1, 0.1, 0.1), (0.1, 0.1, 0.1, 0.1)], True, "a point that stays"),
        ([(0.1, 0.1, 0.1, 0.3), (0.13, 0.1, 0.13, 0.3)], False, "a line has hardly any size"),
        # Wide and flat: the square root of its area counts, not its width or its height.
        ([(0.1, 0.1, 0.9, 0.15), (0.18, 0.1, 0.98, 0.15)], False, "0.08 x 0.8 with a size of 0.2"),
        ([(0.1, 0.1, 0.9, 0.15), (0.15, 0.1, 0.95, 0.15)], True, "0.05 x 0.8 with a size of 0.2"),
    ],
)
def test_a_way_counts_against_the_tracks_own_size(
    there: list[tuple[float, float, float, float]], worthless: bool, why: str
) -> None:
    assert none_worth_choosing([standing()], boxes(*there)) is worthless, why


def test_a_track_that_is_hardly_seen_hides_no_other() -> None:
    walking = boxes((0.1, 0.1, 0.2, 0.2), (0.5, 0.1, 0.6, 0.2))
    both = np.concatenate([boxes((0.1, 0.1, 0.2, 0.2)), walking])
    assert not none_worth_choosing([standing(), standing()], both)


def test_a_slot_at_which_one_track_is_absent_takes_nothing_from_it() -> None:
    seen = boxes((0.1, 0.1, 0.2, 0.2), (0.5, 0.1, 0.6, 0.2))
    seen[0, 1, 2] = np.nan  # half a box is none
    assert none_worth_choosing([standing()], seen)
