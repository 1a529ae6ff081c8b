"""A decomposer that asks the language model behind an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.language.endpoint import ChatEndpoint

if TYPE_CHECKING:
    from stvg_core.decomposition import Decomposer
    from stvg_core.settings import GroundingSettings


def endpoint_decomposer(url: str | None, key: str | None, method: GroundingSettings) -> Decomposer:
    """The decomposer of ``decomposer="endpoint"``; torch is imported here.

    Raises:
        EndpointError: the address or the model's name is missing or cannot be used.
    """
    from stvg_core.decomposition import AskingDecomposer, CachedDecomposer

    chat = ChatEndpoint(url or "", method.decomposer_model, key)
    return CachedDecomposer(AskingDecomposer("endpoint", chat.complete, method.action_subject))
