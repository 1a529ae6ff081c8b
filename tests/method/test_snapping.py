"""Ends on what the chosen track itself does: near and clear changes alone, kept with the evidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stvg_core.calibration.rejoin import rejoin
from stvg_core.method.evidence import Evidence
from stvg_core.method.interval import snapped
from stvg_core.method.join import Choice, refine
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Track
from tests.calibration.planted import FRAMES, SETTINGS, planted, stored, tracks

ACTS = np.array([[33, 71], [-1, 20], [90, -1]])


@pytest.mark.parametrize(
    ("span", "spacing", "said", "why"),
    [
        ((30, 75), 5.0, (33, 71), "both are near"),
        ((23, 81), 5.0, (33, 71), "two slots away, to the frame"),
        ((22, 82), 5.0, (22, 82), "a frame further"),
        ((43, 71), 5.0, (33, 71), "later ends are moved back"),
        ((60, 92), 5.0, (60, 92), "a beginning is no end, and what is not clear is none"),
        ((33, 26), 5.0, (33, 26), "it is not turned round"),
        ((85, 95), 5.0, (90, 95), "one end alone"),
        ((2, 18), 5.0, (2, 20), "-1 is no frame"),
    ],
)
def test_each_end_goes_to_the_nearest_change_of_its_kind(
    span: tuple[int, int], spacing: float, said: tuple[int, int], why: str
) -> None:
    assert snapped(span, ACTS, spacing) == said, why


def test_a_track_that_does_not_say_moves_nothing_and_a_frame_that_must_be_inside_is() -> None:
    assert snapped((30, 75), None, 5.0) == snapped((30, 75), np.empty((0, 2), np.int64), 5.0) == (30, 75)
    assert snapped((30, 75), ACTS, 5.0, through=40) == (33, 71)
    assert snapped((30, 75), ACTS, 5.0, through=31) == (30, 75), "it would be outside"
    assert snapped((30, 75), ACTS, 5.0, through=72) == (30, 75), "so would that"
    assert snapped((30, 75), ACTS, 5.0, through=33) == snapped((30, 75), ACTS, 5.0, through=71) == (33, 71)


def test_the_nearer_of_two_changes_counts_and_the_start_stays_before_the_end() -> None:
    two = np.array([[30, 44], [48, 60]])
    assert snapped((32, 47), two, 10.0) == (30, 44)
    assert snapped((42, 58), two, 10.0) == (48, 60)
    assert snapped((41, 45), two, 10.0) == (41, 45), "start 48 and end 44 are no interval"


def test_an_act_from_the_first_frame_and_one_of_a_single_frame_are_acts() -> None:
    assert snapped((2, 30), np.array([[0, 31]]), 5.0) == (0, 31)
    assert snapped((3, 30), np.array([[1, 31]]), 5.0) == (1, 31)
    assert snapped((48, 53), np.array([[50, 50]]), 5.0) == (50, 50)


def refined(
    settings: GroundingSettings, acts: np.ndarray | None, through: int | None = None
) -> tuple[int, int]:  # fmt: skip
    case = planted(2)
    one = replace(tracks()[0], acts=acts)
    span = (case.tube.start_frame, case.tube.end_frame)
    return refine(Choice(0, span, 0.5), one, case.evidence, settings, lambda within: None, through).span


def test_only_where_the_settings_say_so() -> None:
    case = planted(2)
    start, end = case.tube.start_frame, case.tube.end_frame
    acts = np.array([[start + 1, end - 1]])
    assert refined(SETTINGS, acts) == (start, end), "off by default"
    assert refined(replace(SETTINGS, snap_ends=True), acts) == (start + 1, end - 1)
    assert refined(replace(SETTINGS, snap_ends=True), None) == (start, end)
    assert refined(replace(SETTINGS, snap_ends=True), acts, through=start) == (start, end), "a drawn box stays inside"


def watched(start: int, end: int) -> Evidence:
    return planted(2).evidence.with_acts(0, np.array([[start, end], [-1, 3]]))


def test_what_a_track_does_is_kept_and_joined_again() -> None:
    case = planted(2)
    start, end = case.tube.start_frame + 1, case.tube.end_frame - 1
    back = stored(watched(start, end))
    np.testing.assert_array_equal(back.acts, [[0, start, end], [0, -1, 3]])
    assert back.acts.dtype == np.int64 and back.acts_of(1) is None
    other = replace(SETTINGS, snap_ends=True)
    assert rejoin(back, other).span == (start, end) and rejoin(back, SETTINGS).span == (start - 1, end + 1)
    assert rejoin(stored(case.evidence), other).span == (start - 1, end + 1), "evidence from before it was kept"
    assert other.looks_digest() == SETTINGS.looks_digest() and other.digest() != SETTINGS.digest()


def test_in_a_part_of_a_video_frames_are_shifted_and_unclear_ends_stay_unclear() -> None:
    whole = watched(12, 30).of_whole((100, 99 + FRAMES), 500)
    np.testing.assert_array_equal(whole.acts, [[0, 112, 130], [0, -1, 103]])


def test_nothing_seen_is_nothing_kept() -> None:
    evidence = planted(2).evidence
    assert evidence.with_acts(0, None) is evidence and evidence.with_acts(0, np.empty((0, 2), np.int64)) is evidence
    with pytest.raises(ValueError, match="acts"):
        Track(np.array([0, 5]), np.zeros((2, 4)), acts=np.zeros(3, np.int64))
