"""The proposer that the settings name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stvg_core.errors import ModelError
from stvg_core.proposals import CachedProposer, EmbeddedProposer, proposer_for
from stvg_core.proposals.grounded_proposer import GroundedProposer
from stvg_core.settings import GroundingSettings
from stvg_core.tube import VideoInfo


def test_the_embedded_one_by_default() -> None:
    proposer = proposer_for(GroundingSettings(), device="cpu")
    assert isinstance(proposer, EmbeddedProposer)
    assert (proposer.weight, proposer.uses_phrase) == (1.0, False)


def test_the_papers_one_names_its_models_and_thresholds(detector_folder: Path, tracker_folder: Path) -> None:
    settings = GroundingSettings(
        proposer="grounding_dino", detector=str(detector_folder), tracker="facebook/sam2.1-hiera-large@main"
    )
    proposer = proposer_for(settings, device="cpu")
    assert isinstance(proposer, GroundedProposer)
    assert (proposer.weight, proposer.uses_phrase) == (0.0, True)
    for part in (f"grounding-dino-{detector_folder.name}@", "box>0.4 text>0.4", "every 10", "sam2.1-hiera-large@main"):
        assert part in proposer.name
    every = proposer_for(replace(settings, detect_every=5, tracking="all"), device="cpu")
    assert isinstance(every, GroundedProposer) and every.tracking == "all" and "every 5 " in every.name
    assert every.looks_at(VideoInfo("", 64, 48, 25, 1, 12, 0.48)).tolist() == [0, 5, 10, 11]
    other = GroundedProposer(str(detector_folder), str(tracker_folder), device="cpu", threshold=0.3)
    assert other.name != proposer.name


def test_hub_ids_cost_nothing_until_the_first_video() -> None:
    proposer = proposer_for(GroundingSettings(proposer="grounding_dino"), device="cuda")
    assert "IDEA-Research--grounding-dino-base@main" in proposer.name


def test_a_missing_folder_is_said_at_once() -> None:
    with pytest.raises(ModelError, match="no model folder /no/such/folder"):
        proposer_for(GroundingSettings(proposer="grounding_dino", detector="/no/such/folder"), device="cpu")


def test_a_folder_keeps_the_proposals(tmp_path: Path) -> None:
    proposer = proposer_for(GroundingSettings(), device="cpu", cache=tmp_path)
    assert isinstance(proposer, CachedProposer)
    assert proposer.name == EmbeddedProposer.name
