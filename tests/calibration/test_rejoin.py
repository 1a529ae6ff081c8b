"""Joining again without the model gives what the pipeline gave, and follows changed settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stvg_core.calibration.rejoin import CannotRejoin, Rejoiner, rejoin
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.demo.evaluate import scene_tracks
from stvg_core.method.evidence import Evidence
from stvg_core.method.join import second_look_of
from stvg_core.pipeline import Grounder
from stvg_core.settings import GroundingSettings
from tests.calibration.planted import BOTH_WAYS, FRAMES, SETTINGS, planted, stored, tracks
from tests.tiny_models import FAMILIES


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("settings", [SETTINGS, BOTH_WAYS])
def test_the_same_settings_give_the_same_answer(number: int, settings: GroundingSettings) -> None:
    case = planted(number, settings)
    found = rejoin(stored(case.evidence), settings)
    assert found.chosen == 0
    assert (found.tube.start_frame, found.tube.end_frame) == (case.tube.start_frame, case.tube.end_frame)
    np.testing.assert_allclose(found.tube.boxes, case.tube.boxes, atol=1e-6)
    assert found.second is None and not found.lost


@pytest.mark.parametrize(
    "changes",
    [{"centre": 0.2}, {"interval": "top_k", "top_k": 4}, {"attention": "raw"}, {"role_tokens": "mean"},
     {"role_tokens": "token-1"}, {"role_tokens": "token-9"}, {"tas_operator": "forward"}, {"tas_operator": "product"},
     {"tas_temporal": False}, {"coverage": "peak"}, {"proposer_weight": 0.0}],
    ids=str,
)  # fmt: skip
def test_changed_settings_give_what_they_would_have_given(changes: dict[str, object]) -> None:
    """The model's looks do not depend on the joining, so grounding under the new settings is the truth here."""
    other = replace(BOTH_WAYS, **changes)  # type: ignore[arg-type]
    assert other.looks_digest() == BOTH_WAYS.looks_digest() and other.digest() != BOTH_WAYS.digest()
    for number in range(5):
        found, wanted = rejoin(stored(planted(number, BOTH_WAYS).evidence), other), planted(number, other)
        assert (found.chosen, found.tube.start_frame, found.tube.end_frame) == (
            wanted.evidence.chosen, wanted.tube.start_frame, wanted.tube.end_frame,
        )  # fmt: skip


def test_what_was_not_looked_at_cannot_be_joined() -> None:
    one_way = planted(0, SETTINGS).evidence
    with pytest.raises(CannotRejoin, match="reversed video"):
        rejoin(one_way, BOTH_WAYS)
    spatial_only = planted(0, replace(BOTH_WAYS, tas_temporal=False)).evidence
    with pytest.raises(CannotRejoin, match="reversed video"):
        rejoin(spatial_only, BOTH_WAYS)
    with pytest.raises(CannotRejoin, match="no rows"):
        Rejoiner(replace(one_way, rows=None))
    with pytest.raises(CannotRejoin, match="no candidate object"):
        Rejoiner(replace(one_way, rows=None, chosen=-1))


def _with_second(window: tuple[int, int]) -> Evidence:
    """A planted answer whose second look saw the same again between two frames."""
    evidence = planted(7).evidence
    assert evidence.rows is not None
    slots = np.linspace(window[0] + 1, window[1] - 1, 10).astype(int)
    second = second_look_of(evidence.rows, window, slots, lambda boxes: boxes, tracks(), 0, tracks()[0])
    return stored(replace(evidence, second=second))


def test_a_second_look_serves_as_long_as_it_holds_the_window() -> None:
    settings = replace(SETTINGS, second_look=True)
    first = rejoin(_with_second((0, FRAMES - 1)), SETTINGS)
    assert first.second is None and not first.lost
    wide = rejoin(_with_second((0, FRAMES - 1)), settings)
    assert wide.second is not None and not wide.lost
    elsewhere = rejoin(_with_second((95, 99)), settings)
    assert elsewhere.second is None and elsewhere.lost
    assert elsewhere.span == first.span
    never = planted(7).evidence
    assert rejoin(never, settings).lost


def test_a_track_is_known_at_its_ends_and_between_slots() -> None:
    evidence = planted(1).evidence
    found = rejoin(evidence, replace(SETTINGS, interval="top_k", top_k=10))
    assert (found.tube.start_frame, found.tube.end_frame) == (0, FRAMES - 1)  # beyond the first and the last slot
    np.testing.assert_allclose(found.tube.boxes[[0, -1]], tracks()[0].boxes, atol=1e-6)


@pytest.mark.parametrize("fit", ["squash", "checkpoint"])
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_scores_come_back_for_every_family(family: str, fit: str, tmp_path: Path) -> None:
    """Boxes are kept as the model's view has them, whatever the family crops or pads."""
    scene = split_scene("validation", 7, difficulty="easy", max_seconds=6.0)
    settings = replace(GroundingSettings(), decomposer="rules", n_slots=6, lra_steps=0, second_look=True, fit=fit)
    settings = replace(settings, attention="raw", centre=0.9, tas_question="reversed", tas_temporal=True)
    grounder = Grounder.from_pretrained(FAMILIES[family](tmp_path / family), settings=settings, device="cpu")
    found = grounder.ground(write_clip(tmp_path / "clip.mp4", scene), scene.query, tracks=scene_tracks(scene))
    before, after = found.evidence, stored(found.evidence)
    scored = Rejoiner(after)._score(settings)
    np.testing.assert_allclose(scored.track_scores, before.track_scores, rtol=2e-3)
    np.testing.assert_allclose(scored.frame_scores, before.frame_scores, rtol=2e-3)
    if after.second is not None:
        window = after.second.window
        assert list(window) == before.info["second_look"][:2]
        assert np.isfinite(after.second.rows.unpacked().spatial).all()
