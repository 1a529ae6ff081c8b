"""The paper's candidates from the first stage to the last: tiny random models, painted clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import Sam2VideoModel

from stvg_core.calibration.rejoin import rejoin
from stvg_core.pipeline import Grounder
from stvg_core.settings import GroundingSettings
from stvg_core.tube import NO_MASK, Track
from tests.calibration.planted import stored
from tests.proposals.painted import paint, see_red_boxes, see_red_masks, straight
from tests.tiny_detectors import save_grounding_dino, save_sam2
from tests.tiny_models import save_llava_onevision

FRAMES, SIZE = 41, (160, 96)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    made = {"model": save_llava_onevision, "detector": save_grounding_dino, "tracker": save_sam2}
    return {name: str(save(tmp_path_factory.mktemp(name) / name)) for name, save in made.items()}


@pytest.fixture
def clip(tmp_path: Path) -> str:
    return paint(tmp_path / "clip.mp4", straight(FRAMES, (8, 20, 40, 52), (116, 36, 148, 68)), SIZE).info.path


def grounder(folders: dict[str, str], **changes: Any) -> Grounder:
    settings = GroundingSettings(
        proposer="grounding_dino", detector=folders["detector"], tracker=folders["tracker"], decomposer="rules",
        n_slots=5, lra_steps=0, tas=False,
    )  # fmt: skip
    return Grounder.from_pretrained(folders["model"], settings=replace(settings, **changes), device="cpu")


@pytest.mark.parametrize("tracking", ["chosen", "all"])
def test_several_sentences_about_one_noun(
    tracking: str, folders: dict[str, str], clip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run of the detector for the noun; and with all candidates followed, one of the tracker."""
    real, encoded = Sam2VideoModel.get_image_features, []

    def features(self: Any, pixels: Any, **named: Any) -> Any:
        encoded.append(len(pixels))
        return real(self, pixels, **named)

    monkeypatch.setattr(Sam2VideoModel, "get_image_features", features)
    prompts = see_red_boxes(monkeypatch)
    see_red_masks(monkeypatch)
    queries = ["the man in red sits down", "the man in blue walks", "the man who stands up"]
    found = grounder(folders, tracking=tracking).ground_many(clip, queries)
    assert len(prompts) == 5, "frames 0, 10, 20, 30 and 40"
    assert all(one.tube is not None for one in found)
    if tracking == "all":
        assert len(encoded) == FRAMES
    else:
        assert len(encoded) > FRAMES, "the chosen track is followed for each sentence anew"


def test_masks_are_scored_and_kept(folders: dict[str, str], clip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    see_red_boxes(monkeypatch)
    see_red_masks(monkeypatch)
    asked = grounder(folders, tracking="all", coverage="mask", second_look=True, centre=0.9)
    found = asked.ground(clip, "the man in red sits down")
    evidence = stored(found.evidence)
    p, t, h, w = evidence.masks.shape
    assert (p, t, h, w) == (1, *evidence.spatial_map.shape)
    # A square that fills its box covers as much of the picture as the box does, but for its round corners.
    boxes = rejoin(evidence, replace(asked.settings, coverage="fraction"))
    area = np.prod(evidence.track_boxes[0, :, 2:] - evidence.track_boxes[0, :, :2], axis=1)
    np.testing.assert_allclose(evidence.masks[0].astype(float).mean(axis=(1, 2)), area, rtol=0.1)
    again = rejoin(evidence, asked.settings)
    assert again.chosen == boxes.chosen == 0
    assert found.tube is not None and (again.tube.start_frame, again.tube.end_frame) == (
        found.tube.start_frame, found.tube.end_frame,
    )  # fmt: skip
    assert not any("mask" in warning for warning in found.warnings)


def test_given_tracks_without_masks_are_said(folders: dict[str, str], clip: str) -> None:
    tracks = [Track(np.array([0, FRAMES - 1]), np.tile(np.float32([0.1, 0.1, 0.5, 0.9]), (2, 1)))]
    found = grounder(folders, tracking="all", coverage="mask").ground(clip, "the man in red", tracks=tracks)
    assert found.evidence.info[NO_MASK] == 1
    assert "1 of 1 candidate tracks have no mask: their boxes were scored instead." in found.warnings
    by_box = grounder(folders, tracking="all").ground(clip, "the man in red", tracks=tracks)
    assert NO_MASK not in by_box.evidence.info
    np.testing.assert_array_equal(by_box.evidence.track_scores, found.evidence.track_scores)
