"""Which settings are in force, and who said so? Layers, the later over the earlier:

the defaults, the model's own preset (``stvg.json``), the environment's preset, the environment's single settings, the
command line's preset, the command line's single settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from stvg_core.errors import StvgError
from stvg_core.presets import PAPERS, check, preset_values, scaled
from stvg_core.settings import GroundingSettings, JoinedSettings, preset

DEFAULT, MODELS, ENDPOINTS, NAMED = "default", "model's preset", "endpoint's preset", "STVG_LLM_MODEL"
FOR_ENDPOINTS = {"second_look": True}
"""Settings for a model behind an endpoint, in place of a model's own preset: a second round sets the ends."""


class SettingsRefused(StvgError):
    """Settings that cannot be used together, or a value out of its range; the message says which."""


@dataclass(frozen=True)
class Place:
    """What one place says of the method.

    Attributes:
        preset: a preset's name, or None.
        values: single settings, which win over the preset.
        said: how the place calls a preset and the settings, for people: "--preset", "--set".
    """

    preset: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    said: tuple[str, str] = ("preset", "set")


@dataclass(frozen=True)
class Chosen:
    """Settings, and for each by its name where it comes from."""

    settings: GroundingSettings
    sources: Mapping[str, str]

    @property
    def joined_by_hand(self) -> bool:
        """Was anything that decides after the look chosen over the model's own preset?"""
        return any(self.sources[one.name] not in (DEFAULT, MODELS) for one in fields(JoinedSettings))


def choose(model: str | Path, *places: Place, endpoint_model: str = "") -> Chosen:
    """The settings for a model, the last place's over those before.

    Args:
        endpoint_model: the name of the model behind the endpoint, if there is one. Where the settings let words decide,
            it is the one that speaks, the model on this machine is not used, and its preset says nothing. Where
            sentences are split by an endpoint that no setting names, it is the one that does.

    Raises:
        ModelError: the model's own preset cannot be used.
        UnknownPreset: there is no preset of a name.
        SettingsRefused: values that cannot be used.
    """
    chosen = _chosen(_over(_plain(), preset(model), MODELS), preset(model), places)
    if endpoint_model and chosen.settings.locator != "attention":
        chosen = _chosen(_over(_plain(), FOR_ENDPOINTS, ENDPOINTS), {}, places)
        chosen = _named(chosen, "locator_model", endpoint_model)
    if endpoint_model and chosen.settings.decomposer == "endpoint":
        chosen = _named(chosen, "decomposer_model", endpoint_model)
    return chosen


def _named(chosen: Chosen, name: str, model: str) -> Chosen:
    return chosen if getattr(chosen.settings, name) else _over(chosen, {name: model}, NAMED)


def _chosen(below: Chosen, models_own: Mapping[str, Any], places: Iterable[Place]) -> Chosen:
    chosen, papers = below, set()
    for place in places:
        if place.preset is not None:
            values = preset_values(check(place.preset), chosen.settings, models_own)
            source = f"{place.said[0]} {place.preset}"
            chosen = _over(chosen, values, source)
            papers |= {source} if place.preset == PAPERS else set()
        chosen = _over(chosen, place.values, place.said[1])
    return _with_scaled_k(chosen) if chosen.sources["top_k"] in papers else chosen


def _plain() -> Chosen:
    settings = GroundingSettings()
    return Chosen(settings, {one.name: DEFAULT for one in fields(settings)})


def with_values(settings: GroundingSettings, values: Mapping[str, Any]) -> GroundingSettings:
    """Settings with other values. Raises ValueError for one out of its range, or that no person could mean."""
    found = replace(settings, **values)
    if found.lra_lr < 0:
        raise ValueError("lra_lr must be at least 0: a step back makes the object less visible")
    return found


def _over(below: Chosen, values: Mapping[str, Any], source: str) -> Chosen:
    try:
        settings = with_values(below.settings, values)
    except (ValueError, TypeError) as error:
        raise SettingsRefused(f"{source}: {error}.") from None
    return Chosen(settings, {**below.sources, **dict.fromkeys(values, source)})


def _with_scaled_k(chosen: Chosen) -> Chosen:
    """The paper's K belongs to its 20 slots: with another number of them it is the same share."""
    settings = scaled(chosen.settings)
    if settings == chosen.settings:
        return chosen
    said = f"{chosen.sources['top_k']}, the same share of {settings.n_slots} slots"
    return Chosen(settings, {**chosen.sources, "top_k": said})


def as_values(settings: GroundingSettings) -> dict[str, Any]:
    """Every setting by its name, as JSON has it."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(settings).items()}
