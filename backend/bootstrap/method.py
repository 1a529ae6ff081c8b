"""Which model, and which settings of the method? Web and workers read the same here; no model is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.jobs.versions import Versions
from backend.language import EndpointError, PictureChat, endpoint_decomposer
from backend.settings import MethodSettings, Settings
from stvg_core.settings import GroundingSettings
from stvg_core.version import model_version

if TYPE_CHECKING:
    from stvg_core.decomposition import Decomposer
    from stvg_core.pipeline import Grounder


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


def open_chat(settings: MethodSettings, method: GroundingSettings) -> PictureChat | None:
    """The model behind the endpoint that answers in words, or None where a model on this machine looks or speaks.

    Raises:
        EndpointError: the endpoint's address or model is missing or cannot be used.
    """
    if method.locator == "attention":
        return None
    if not method.locator_model:
        if settings.llm_url:
            raise EndpointError("There is an endpoint (STVG_LLM_URL), and no model of it is named: set STVG_LLM_MODEL.")
        return None
    return PictureChat(
        settings.llm_url or "", method.locator_model, _key(settings), timeout=settings.llm_timeout_s,
        parallel=settings.llm_parallel,
    )  # fmt: skip


def open_grounder(
    settings: MethodSettings, chat: PictureChat | None = None, *, cache: Path | None = None, **more: Any
) -> Grounder:
    """The grounder that the settings ask for; torch is imported here.

    Args:
        chat: of :func:`open_chat`.
        cache: folder in which proposals are kept.
        more: further arguments of its constructors.

    Raises:
        ModelError, EndpointError: what is missing, or cannot be used.
    """
    from stvg_core.pipeline import Grounder

    method = method_settings(settings)
    more |= {"device": settings.device, "decomposer": open_decomposer(settings, method), "cache": cache}
    if chat is not None:
        return Grounder.over(chat, method, **more)
    return Grounder.from_pretrained(settings.model, settings=method, **more)


def _key(settings: MethodSettings) -> str | None:
    return None if settings.llm_key is None else settings.llm_key.get_secret_value()


def open_decomposer(settings: MethodSettings, method: GroundingSettings) -> Decomposer | None:
    """The language model behind the endpoint, or None where the method splits sentences without one.

    Raises:
        EndpointError: the endpoint's address or model is missing or cannot be used.
    """
    if method.decomposer != "endpoint":
        return None
    return endpoint_decomposer(settings.llm_url, _key(settings), method)
