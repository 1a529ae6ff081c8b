"""Which settings are in force: layers, the later over the earlier."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stvg_core.demo import MODEL_DIR
from stvg_core.demo.ablation.steps import STEPS, settings_of
from stvg_core.presets import UnknownPreset, check, presets
from stvg_core.setting_layers import DEFAULT, MODELS, Chosen, Place, SettingsRefused, choose
from stvg_core.settings import GroundingSettings, resolve

ENVIRONMENT, LINE = ("STVG_PRESET", "environment"), ("--preset", "--set")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "stvg.json").write_text(json.dumps({"settings": {"lra_steps": 3, "centre": 0.2, "n_slots": 16}}))
    return tmp_path


def chosen(model: Path, environment: Place | None = None, line: Place | None = None) -> Chosen:
    return choose(model, environment or Place(said=ENVIRONMENT), line or Place(said=LINE))


def test_the_later_layer_wins_and_says_so(model: Path) -> None:
    found = chosen(model)
    assert (found.settings.lra_steps, found.sources["lra_steps"]) == (3, MODELS)
    assert (found.settings.tas, found.sources["tas"]) == (True, DEFAULT)
    found = chosen(model, Place("paper", {"lra_steps": 4}, ENVIRONMENT))
    assert (found.settings.lra_steps, found.sources["lra_steps"]) == (4, "environment")
    assert (found.settings.n_slots, found.sources["n_slots"]) == (20, "STVG_PRESET paper")
    assert (found.settings.centre, found.sources["centre"]) == (0.2, MODELS), "left open by the paper"
    found = chosen(model, Place(None, {"lra_steps": 4, "tas": False}, ENVIRONMENT), Place("paper", {}, LINE))
    assert (found.settings.lra_steps, found.sources["lra_steps"]) == (1, "--preset paper")
    assert (found.settings.tas, found.sources["tas"]) == (True, "--preset paper")
    found = chosen(model, Place(None, {"tas": False}, ENVIRONMENT), Place("paper", {"lra_steps": 5}, LINE))
    assert (found.settings.lra_steps, found.sources["lra_steps"]) == (5, "--set")


def test_without_a_choice_it_is_what_the_model_brings() -> None:
    for folder in (MODEL_DIR, "owner/name"):
        found = choose(folder, Place(said=ENVIRONMENT), Place(said=LINE))
        assert found.settings == resolve(folder, None) and not found.joined_by_hand
        assert found.settings.digest() == resolve(folder, None).digest()


@pytest.mark.parametrize(
    ("place", "by_hand"),
    [
        (Place(None, {"tas": False}), False), (Place(None, {"interval": "segment"}), True), (Place("paper"), True),
        (Place("ablation:as-shipped"), False),
    ],
)  # fmt: skip
def test_was_the_joining_chosen_by_hand(place: Place, by_hand: bool) -> None:
    assert choose(MODEL_DIR, place).joined_by_hand is by_hand


def test_the_papers_preset_on_the_embedded_model() -> None:
    """The paper's method, whatever the model's own preset does otherwise; its sentences are split by rules."""
    found = choose(MODEL_DIR, Place("paper", said=LINE)).settings
    assert found == GroundingSettings(
        proposer="grounding_dino", proposer_weight=0.0, interval="top_k", lra_guard=False, decomposer="rules",
        tracking="all", ties="first", centre=resolve(MODEL_DIR, None).centre,
    )  # fmt: skip
    found = choose(MODEL_DIR, Place("paper", {"proposer": "embedded"}, LINE)).settings
    assert found.proposer == "embedded" and found.proposer_weight == 0.0


@pytest.mark.parametrize(("before", "after"), [("rules", "model"), ("endpoint", "endpoint"), ("model", "model")])
def test_any_language_model_may_split_under_the_papers_preset(before: str, after: str) -> None:
    found = choose("owner/name", Place(None, {"decomposer": before}, ENVIRONMENT), Place("paper", said=LINE))
    assert found.settings.decomposer == after
    assert found.sources["decomposer"] == ("environment" if after == "endpoint" else "--preset paper")


@pytest.mark.parametrize(("slots", "k"), [(20, 7), (10, 4), (4, 1), (1, 1), (8, 3), (40, 14)])
def test_k_is_the_papers_share_of_the_slots(slots: int, k: int) -> None:
    found = choose("owner/name", Place("paper", {"n_slots": slots}, LINE))
    assert found.settings.top_k == k
    assert found.sources["top_k"].startswith("--preset paper")
    given = choose("owner/name", Place("paper", {"n_slots": slots, "top_k": 5}, LINE))
    assert (given.settings.top_k, given.sources["top_k"]) == (5, "--set"), "what is set stands as it is set"
    assert choose("owner/name", Place(None, {"n_slots": slots}, LINE)).settings.top_k == 7


def test_every_row_of_the_ablation_is_a_preset() -> None:
    """As `stvg ablate` makes them: over the model's own preset."""
    names = [name for name in presets() if name.startswith("ablation:")]
    assert len(names) == len(set(names)) == len(STEPS)
    for name, step in zip(names, STEPS, strict=True):
        assert choose(MODEL_DIR, Place(name)).settings == settings_of(step, resolve(MODEL_DIR, None)), name
    assert {"ablation:gti", "ablation:v_s", "ablation:v_s-and-v_t", "ablation:tas", "ablation:as-shipped"} <= set(names)


def test_what_cannot_be_used_is_said() -> None:
    with pytest.raises(UnknownPreset, match=r"no preset 'ablation:gtj'\. The nearest: .*ablation:gti"):
        check("ablation:gtj")
    with pytest.raises(SettingsRefused, match="--set: n_slots must be at least 1"):
        choose(MODEL_DIR, Place(None, {"n_slots": 0}, LINE))
    with pytest.raises(UnknownPreset, match=r"no preset 'Paper'\. The nearest: paper"):
        choose(MODEL_DIR, Place("Paper", said=LINE))
