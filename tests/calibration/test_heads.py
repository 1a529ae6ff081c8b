"""Choosing heads by corrections, without a model: who knows the interval is found, and nothing is found in noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stvg_core.calibration.calibrate import MIN_ITEMS, MIN_VIDEOS
from stvg_core.calibration.heads import HeadItem, Heads, choose_heads
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Array

T, LAYERS, HEADS = 20, 4, 4
SLOTS = np.arange(5, 200, 10)
ALL = tuple(f"{layer}.{head}" for layer in range(LAYERS) for head in range(HEADS))
SETTINGS = GroundingSettings(n_slots=T, centre=0.5)


def item(number: int, *, knowing: Heads = (), per_video: int = 1, strength: float = 1.0) -> HeadItem:
    """Scores are noise, but for the knowing heads, which are brighter inside."""
    random = np.random.default_rng(number)
    first = int(random.integers(1, 9))
    last = int(random.integers(first + 3, T - 1))
    scores = random.uniform(0, 1, size=(LAYERS, HEADS, T))
    for name in knowing:
        layer, head = map(int, name.split("."))
        scores[layer, head, first : last + 1] += strength
    truth = (int(SLOTS[first]) - 5, int(SLOTS[last]) + 4)
    return HeadItem(f"1/{number}", str(number // per_video), scores, SLOTS, (0, 199), (truth,))


def test_two_heads_that_know_the_interval_are_found_and_adopted() -> None:
    shares: list[float] = []
    items = [item(number, knowing=("1.2", "3.0"), strength=0.6) for number in range(30)]
    found = choose_heads(items, ALL, SETTINGS, shares.append)
    assert found.heads == ("1.2", "3.0") and found.adopted and not found.reason
    assert found.before is not None and found.after is not None and found.interval is not None
    assert found.after > found.before + 0.15 and found.interval[0] > 0.1
    assert found.gain == pytest.approx(found.after - found.before, abs=2e-4)
    assert found.stability["1.2"] == found.stability["3.0"] == 1.0
    assert min(found.separation.values()) > 0.85 and list(found.separation) == ["1.2", "3.0"]
    assert shares == [0.2, 0.4, 0.6, 0.8, 1.0] and found.items == found.videos == 30
    assert found.to_json()["heads"] == ("1.2", "3.0")


@pytest.mark.parametrize("start", [0, 1000, 2000, 3000, 4000])
def test_nothing_is_found_in_noise(start: int) -> None:
    found = choose_heads([item(start + number) for number in range(40)], ALL, SETTINGS)
    assert not found.adopted and found.reason
    assert "held out" in found.reason or "nothing to adopt" in found.reason


def test_what_is_chosen_already_stays() -> None:
    items = [item(number, knowing=("1.2", "3.0")) for number in range(30)]
    found = choose_heads(items, ("1.2", "3.0"), SETTINGS)
    assert found.heads == () and not found.adopted and "nothing to adopt" in found.reason and found.gain == 0
    assert found.stability == {}


@pytest.mark.parametrize(("count", "per_video"), [(MIN_ITEMS - 1, 1), (2 * MIN_VIDEOS, 4), (3, 5), (0, 1)])
def test_too_few_corrections_are_refused(count: int, per_video: int) -> None:
    items = [item(number, knowing=("1.2",), per_video=per_video) for number in range(count)]
    found = choose_heads(items, ALL, SETTINGS)
    assert not found.adopted and found.reason.startswith(f"{count} corrected items of {found.videos} videos")
    assert (found.before is None) == (found.videos < 2)


def test_fewer_heads_win_where_more_are_no_better() -> None:
    items = [item(number, knowing=("0.1", "2.2", "2.3"), strength=5.0) for number in range(20)]
    assert len(choose_heads(items, ("0.0",), SETTINGS).heads) == 1, "each of them alone finds every interval"


def test_heads_are_judged_by_what_they_give_together() -> None:
    """Where the method's own frame scores of several heads are given, they decide, not the mean of single ones."""
    asked: list[Heads] = []

    def truthful(one: HeadItem) -> HeadItem:
        def of_heads(heads: Heads) -> Array:
            asked.append(heads)
            return one.inside.astype(float) if len(heads) == 3 else np.ones(T)

        return replace(one, of_heads=of_heads)

    found = choose_heads([truthful(item(number)) for number in range(20)], ALL, SETTINGS)
    assert len(found.heads) == 3 and found.adopted and {len(heads) for heads in asked} >= {1, 2, 3, 4, 16}
    assert found.sets_tried == len(set(asked))


def test_separation_by_hand() -> None:
    scores = np.array([[[1.0, 2.0, 3.0, 4.0]], [[2.0, 1.0, 1.0, 0.0]]])
    one = HeadItem("a", "a", scores, np.array([10, 30, 50, 70]), (0, 79), ((40, 60), (70, 75)))
    assert one.inside.tolist() == [False, False, True, True]
    # Second head: 1 > 2 no, 1 = 1 half, 0 > 2 no, 0 > 1 no: .5 of 4 pairs.
    assert one.separation().tolist() == [[1.0], [0.125]]
    assert np.isnan(replace(one, truth=((0, 79),)).separation()).all()
    # Slots 2 and 3 stand for frames 41 to 79: 20 + 6 of them are true, of 21 + 6 true ones.
    assert one.tiou(scores[0, 0], SETTINGS) == pytest.approx(26 / (39 + 27 - 26))


def test_items_that_tell_nothing_do_not_order_heads() -> None:
    """All slots inside: every head is as good, and the interval is judged all the same."""
    items = [replace(item(number), truth=((0, 199),)) for number in range(20)]
    found = choose_heads(items, ALL, SETTINGS)
    assert found.before is not None and 0 < found.before < 1
    known = [item(100 + number, knowing=("1.2", "3.0")) for number in range(30)]
    assert set(choose_heads([*items[:2], *known], ALL, SETTINGS).heads) == {"1.2", "3.0"}
