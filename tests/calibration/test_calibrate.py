"""Search, folds, intervals, and the decision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stvg_core.calibration.calibrate import MIN_ITEMS, MIN_VIDEOS, calibrate
from stvg_core.calibration.items import Item, outcome
from stvg_core.calibration.rejoin import rejoin
from stvg_core.calibration.search import Measured, _without_the_needless, search
from stvg_core.calibration.validation import folds, gain_interval
from stvg_core.metrics import tiou, viou
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Tube
from tests.calibration.planted import BOTH_WAYS, SETTINGS, planted


def items(count: int, *, noise: bool = False, per_video: int = 1) -> list[Item]:
    cases = [planted(n, noise=noise) for n in range(count)]
    return [Item(f"1/{n}", str(n // per_video), case.evidence, (case.truth,)) for n, case in enumerate(cases)]


def test_outcomes_are_those_of_the_metrics() -> None:
    case = planted(1)
    found = rejoin(case.evidence, SETTINGS)
    measured = outcome(found, [case.truth])
    assert measured.viou == pytest.approx(viou(found.tube, case.truth))
    assert measured.tiou == pytest.approx(tiou(found.tube, case.truth))
    assert measured.right and not measured.lost
    wrong = Tube(case.truth.start_frame, case.truth.boxes + 0.5)
    assert not outcome(found, [wrong]).right and outcome(found, [wrong]).viou == 0


def test_frames_in_a_gap_count_for_nobody_but_the_answer() -> None:
    found = rejoin(planted(1).evidence, replace(SETTINGS, interval="top_k", top_k=10))
    parts = [Tube(0, found.tube.boxes[:20]), Tube(80, found.tube.boxes[80:])]
    measured = outcome(found, parts)
    assert measured.tiou == measured.viou == pytest.approx(0.4)


def test_a_video_is_never_on_both_sides() -> None:
    videos = [str(n // 3) for n in range(60)]
    held = folds(videos)
    assert len(held) == 5 and sorted(np.concatenate(held).tolist()) == list(range(60))
    for some in held:
        assert {videos[n] for n in some}.isdisjoint(videos[n] for n in set(range(60)) - set(some.tolist()))
    assert max(map(len, held)) - min(map(len, held)) <= 3
    assert [len(some) for some in folds(["a", "b", "b", "c"])] == [2, 1, 1] or len(folds(["a", "b", "b", "c"])) == 3


def test_the_interval_knows_that_items_of_one_video_are_alike() -> None:
    random = np.random.default_rng(0)
    per_video = random.normal(0.02, 0.1, size=20)
    before, after = np.zeros(200), np.repeat(per_video, 10)
    alone = gain_interval(before, after, [str(n) for n in range(200)])
    together = gain_interval(before, after, [str(n // 10) for n in range(200)])
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])
    low, high = gain_interval(before, before + 0.1, [str(n) for n in range(200)])
    assert low == pytest.approx(0.1) and high == pytest.approx(0.1)
    assert gain_interval(before, after, ["x"] * 100 + ["y"] * 100) == gain_interval(
        before, after, ["x"] * 100 + ["y"] * 100
    )


def test_a_search_finds_the_planted_value_and_leaves_the_rest() -> None:
    measured = Measured(items(12))
    best = search(measured, SETTINGS, np.arange(12))
    assert best.interval == "segment" and best.centre < 0.4
    assert measured.vious(best).mean() > measured.vious(SETTINGS).mean() + 0.2
    tried = measured.tried
    search(measured, SETTINGS, np.arange(12))
    assert measured.tried == tried  # everything was known


def test_only_what_was_looked_at_is_offered() -> None:
    one_way = Measured(items(2)).options(SETTINGS)
    assert "tas_operator" not in one_way and "tas_temporal" not in one_way
    case = planted(0, BOTH_WAYS)
    both = Measured([Item("1", "1", case.evidence, (case.truth,))]).options(BOTH_WAYS)
    assert {"tas_operator": "forward"} in both["tas_operator"] and {"tas_temporal": False} in both["tas_temporal"]
    assert [change["role_tokens"] for change in both["role_tokens"]] == ["gti", "mean", "token-1", "token-2", "token-3"]


def test_a_gain_that_holds_is_adopted() -> None:
    shares: list[float] = []
    found = calibrate(items(30), SETTINGS, shares.append)
    assert found.adopted and found.reason == "" and found.settings != SETTINGS
    assert found.before is not None and found.after is not None and found.interval is not None
    assert found.after.m_viou > found.before.m_viou + 0.2 and found.interval[0] > 0
    assert found.stability["centre"] > 0 and found.proposed == {"centre": found.settings.centre}
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert found == calibrate(items(30), SETTINGS)  # the same corrections, the same answer


def test_what_is_good_already_is_left() -> None:
    good = calibrate(items(30), SETTINGS).settings
    again = calibrate(items(30), good)
    assert not again.adopted and again.settings == good and again.proposed == {}
    assert "nothing to adopt" in again.reason


def test_noise_is_refused() -> None:
    found = calibrate(items(40, noise=True), replace(SETTINGS, interval="top_k", top_k=7))
    assert not found.adopted and found.settings.interval == "top_k" and found.reason


@pytest.mark.parametrize(
    ("count", "per_video"), [(0, 1), (MIN_ITEMS - 1, 1), (MIN_ITEMS + 10, 4), (3, 3)], ids=lambda value: str(value)
)
def test_too_few_corrections_choose_nothing(count: int, per_video: int) -> None:
    found = calibrate(items(count, per_video=per_video), SETTINGS)
    assert not found.adopted and found.settings == SETTINGS
    assert f"at least {MIN_ITEMS} of at least {MIN_VIDEOS} videos" in found.reason and "correct more" in found.reason
    assert f"{count} corrected items" in found.reason


def test_changes_that_earn_nothing_any_more_are_taken_back() -> None:
    """Raw attention helped under the old interval rule; under the new one it does not."""
    best = replace(SETTINGS, attention="raw", interval="top_k", top_k=5)

    def mean(settings: GroundingSettings) -> float:
        return 0.8 if settings.interval == "top_k" else 0.5 if settings.attention == "raw" else 0.3

    assert _without_the_needless(best, SETTINGS, 0.8, mean) == replace(SETTINGS, interval="top_k", top_k=5)
