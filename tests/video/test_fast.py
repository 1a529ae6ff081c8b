"""decord serves only files for which the packets prove that it gives the right pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stvg_core.video import Limits, probe
from stvg_core.video.fast import counts_rightly, read_with_decord
from stvg_core.video.timeline import read_timeline
from tests.video.generated import decoded_in_order, make
from tests.video.recipes import Recipe
from tests.video.test_access import KINDS, X264

CLOSED = {
    "mp4": Recipe("libx264", ".mp4", 60, 12, 3, X264),
    "mkv": Recipe("libx264", ".mkv", 60, 12, 3, X264),
    "no B-frames": Recipe("libx264", ".mp4", 60, 12, 0, X264),
    "forced key frames": Recipe("libx264", ".mp4", 60, 30, 3, X264, forced=(7, 30, 41)),
    "no edit list": KINDS["no edit list"],
}


def served(path: Path, indices: np.ndarray) -> np.ndarray | None:
    info, timeline = probe(path), read_timeline(path, Limits())
    return read_with_decord(info, timeline, indices, (info.width, info.height))


@pytest.mark.parametrize("kind", CLOSED)
def test_closed_groups_are_served_and_right(kind: str, tmp_path: Path) -> None:
    made = make(CLOSED[kind], tmp_path)
    reference = decoded_in_order(made.path)
    found = served(made.path, np.arange(len(reference)))
    assert found is not None
    np.testing.assert_array_equal(found, reference)
    some = np.array([3, 13, 14, 37, 59])  # each of them after a seek of its own
    for index in some:
        alone = served(made.path, np.array([index]))
        assert alone is not None
        np.testing.assert_array_equal(alone[0], reference[index])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in CLOSED])
def test_nothing_else_is(kind: str, tmp_path: Path) -> None:
    made = make(KINDS[kind], tmp_path)
    assert served(made.path, np.arange(5)) is None


def test_a_fragmented_file_whose_key_frames_are_decoded_before_the_last_one_is_shown_is_not_trusted(
    tmp_path: Path,
) -> None:
    """All of its key packets are IDR pictures of closed groups, and decord lands on the wrong one of them."""
    made = make(KINDS["fragments, key frames close together"], tmp_path)
    timeline = read_timeline(made.path, Limits())
    keys = np.flatnonzero(timeline.packets.key)
    assert (timeline.frame_of[keys] == keys).all()
    assert (timeline.packets.dts[keys[1:]] <= timeline.packets.pts[keys[:-1]]).any()
    assert not counts_rightly(timeline)
