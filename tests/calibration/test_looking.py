"""Corrected clips once more in front of the embedded model, with every head for itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stvg_core.calibration.calibrate import MIN_ITEMS
from stvg_core.calibration.heads import HeadItem, choose_heads
from stvg_core.calibration.items import Item
from stvg_core.calibration.looking import HeadLooks, right_track
from stvg_core.calibration.rejoin import CannotRejoin, rejoin
from stvg_core.decomposition.rules import decompose
from stvg_core.errors import ModelError, VideoError
from stvg_core.method.join import choose
from stvg_core.pipeline import Grounder
from stvg_core.query import SubQueries
from stvg_core.settings import GroundingSettings, resolve
from stvg_core.tube import Tube
from tests.calibration.grounded import Grounded, Session, open_grounder
from tests.calibration.planted import planted, stored


@pytest.fixture(scope="module")
def grounder(grounded: Session) -> Grounder:
    return open_grounder(grounded.model)


@pytest.fixture(scope="module")
def settings(grounded: Session) -> GroundingSettings:
    return resolve(grounded.model, None)


def _item(number: int, answer: Grounded) -> Item:
    return Item(str(number), str(number), stored(answer.found.evidence), (answer.truth,))


def _parts(answer: Grounded) -> SubQueries:
    return decompose(answer.scene.query, "phrase")


@pytest.fixture(scope="module")
def looked(
    grounded: Session, grounder: Grounder, settings: GroundingSettings, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[Grounded, HeadItem]]:
    looks = HeadLooks(grounder, settings, tmp_path_factory.mktemp("heads"))
    found = []
    for number, answer in enumerate(grounded.answers[:4]):
        item = _item(number, answer)
        if right_track(item.evidence, item.truth) == item.evidence.chosen:
            video = grounded.model.parent / f"{9000 + number}.mp4"
            found.append((answer, looks.look(item, video, answer.scene.query, _parts(answer))))
    assert len(found) >= 2, "most tracks are the right one"
    return found


def test_the_present_heads_together_see_what_was_stored(
    looked: list[tuple[Grounded, HeadItem]], grounder: Grounder, settings: GroundingSettings, tmp_path: Path
) -> None:
    """So both sides of the comparison are what the method itself does."""
    present = HeadLooks(grounder, settings, tmp_path).present
    assert present == tuple(f"{layer}.{head}" for layer in settings.layers or () for head in range(4))
    for answer, item in looked:
        evidence = answer.found.evidence
        together, before = item.together(present), evidence.frame_scores[evidence.chosen]
        np.testing.assert_allclose(together / together.max(), before / before.max(), rtol=5e-3, atol=1e-4)
        assert item.scores.shape == (grounder.loaded.n_layers, 4, len(before))  # type: ignore[union-attr]
        assert item.tiou(together, settings) == pytest.approx(
            _tiou(choose(evidence, settings).span, item.truth[0]), abs=0.05
        )


def _tiou(one: tuple[int, int], other: tuple[int, int]) -> float:
    shared = max(0, min(one[1], other[1]) - max(one[0], other[0]) + 1)
    return shared / (one[1] - one[0] + other[1] - other[0] + 2 - shared)


def test_some_heads_are_what_the_pipeline_sees_with_them(
    grounded: Session, looked: list[tuple[Grounded, HeadItem]], settings: GroundingSettings
) -> None:
    heads = ("2.1", "4.3")
    grounder = open_grounder(grounded.model, replace(settings, temporal_heads=heads))
    answer, item = looked[0]
    video = grounded.model.parent / f"{9000 + int(item.name)}.mp4"
    asked = grounder.ground(video, answer.scene.query)
    found = asked.evidence
    assert asked.tube is not None
    assert found.chosen == answer.found.evidence.chosen, "the spatial branch stays as it was"
    np.testing.assert_array_equal(found.track_scores, answer.found.evidence.track_scores)
    expected, scores = found.frame_scores[found.chosen], item.together(heads)
    np.testing.assert_allclose(scores / scores.max(), expected / expected.max(), rtol=5e-3, atol=1e-4)
    assert found.info["looks"] != answer.found.evidence.info["looks"]
    again = rejoin(stored(found), grounder.settings)
    assert (again.chosen, again.tube.start_frame) == (found.chosen, asked.tube.start_frame)


def test_few_corrections_are_refused(
    looked: list[tuple[Grounded, HeadItem]], grounder: Grounder, settings: GroundingSettings, tmp_path: Path
) -> None:
    items = [item for _, item in looked]
    found = choose_heads(items, HeadLooks(grounder, settings, tmp_path).present, settings)
    assert not found.adopted and f"at least {MIN_ITEMS}" in found.reason and found.before is not None


def test_what_does_not_fit_is_said(
    grounded: Session, grounder: Grounder, settings: GroundingSettings, tmp_path: Path
) -> None:
    looks, answer = HeadLooks(grounder, settings, tmp_path), grounded.answers[0]
    item, video = _item(0, answer), grounded.model.parent / "9000.mp4"
    with pytest.raises(VideoError):
        looks.look(item, tmp_path / "gone.mp4", answer.scene.query, _parts(answer))
    later = replace(item, evidence=replace(item.evidence, slot_frames=item.evidence.slot_frames + 1))
    with pytest.raises(CannotRejoin, match="other frames"):
        looks.look(later, video, answer.scene.query, _parts(answer))
    with pytest.raises(ModelError, match="locator speak"):
        HeadLooks(grounder, replace(settings, locator="speak"), tmp_path)


def test_the_right_track_is_the_one_on_the_object() -> None:
    case = planted(1)
    assert right_track(case.evidence, (case.truth,)) == 0
    turned = replace(case.evidence, track_boxes=case.evidence.track_boxes[::-1])
    assert right_track(turned, (case.truth,)) == 1
    with pytest.raises(CannotRejoin, match="no candidate"):
        right_track(case.evidence, (Tube(case.truth.start_frame, case.truth.boxes + np.float32(0.3)),))
    between = Tube(6, case.truth.boxes[:3])
    with pytest.raises(CannotRejoin, match="no frame"):
        right_track(case.evidence, (between,))
