"""Whichever way the tracks are ordered, the answer is the same; many draws, so it is kept apart from the fast tests."""

from __future__ import annotations

import numpy as np
import pytest

from stvg_core.calibration.rejoin import rejoin
from stvg_core.method.evidence import Rows
from stvg_core.method.join import join
from stvg_core.method.maps import maps
from stvg_core.tube import Track
from tests.calibration.planted import stored
from tests.method.test_ties import FRAMES, SETTINGS, SLOTS


@pytest.mark.parametrize("seed", range(40))
def test_any_order_of_any_tracks_gives_the_same_answer(seed: int) -> None:
    """Attention and boxes of few values, so that many are tied."""
    random = np.random.default_rng(seed)
    spatial = random.integers(0, 3, size=(1, 2, 4, 4)).astype(np.float32)
    rows = Rows(spatial, spatial, np.ones_like(spatial))
    corners = np.sort(random.integers(0, 5, size=(6, 2, 2)), axis=1) + np.array([[0, 0], [1, 1]])
    tracks = [
        Track(np.array([0, 9]), np.tile(np.float32(box.reshape(4) / 6), (2, 1)), float(random.choice([0.5, 1.0])))
        for box in corners
    ]
    answers = set()
    for _ in range(12):
        order = random.permutation(len(tracks))
        some = [tracks[n] for n in order]
        evidence, choice = join(
            rows, maps(rows, SETTINGS), some, SLOTS, lambda boxes: boxes, FRAMES, SETTINGS, 0.0
        )  # fmt: skip
        box = some[choice.chosen]
        answers.add((box.boxes.tobytes(), box.score, choice.span, round(choice.score, 9)))
        assert rejoin(stored(evidence), SETTINGS).chosen == choice.chosen
    assert len(answers) == 1
