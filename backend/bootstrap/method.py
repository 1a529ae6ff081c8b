"""Which model, and which settings of the method? Web and workers read the same here; no model is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.jobs.versions import Versions
from backend.language import endpoint_decomposer
from backend.settings import MethodSettings, Settings
from stvg_core.settings import GroundingSettings
from stvg_core.version import model_version

if TYPE_CHECKING:
    from stvg_core.decomposition import Decomposer


def present_model_version(settings: Settings) -> str:
    """The string that web and worker agree on before any calibration; reads files, loads no model."""
    return model_version(settings.model, method_settings(settings))


def open_versions(settings: Settings, *, base: str | None = None) -> Versions:
    """The versions that calibrations make of the model; ``base`` where it is known already."""
    chosen = settings.chosen()
    return Versions(settings.model, chosen.settings, base=base, by_hand=chosen.joined_by_hand)


def method_settings(settings: MethodSettings) -> GroundingSettings:
    """The model's own preset with what the environment and the command line chose over it."""
    return settings.chosen().settings


def open_decomposer(settings: MethodSettings, method: GroundingSettings) -> Decomposer | None:
    """The language model behind the endpoint, or None where the method splits sentences without one.

    Raises:
        EndpointError: the endpoint's address or model is missing or cannot be used.
    """
    if method.decomposer != "endpoint":
        return None
    key = None if settings.llm_key is None else settings.llm_key.get_secret_value()
    return endpoint_decomposer(settings.llm_url, key, method)
