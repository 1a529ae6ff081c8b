"""Which decomposer do the settings ask for?"""

from __future__ import annotations

from stvg_core.chat.base import Chat
from stvg_core.decomposition.asking import AskingDecomposer, CachedDecomposer
from stvg_core.decomposition.base import Decomposer
from stvg_core.decomposition.rules import RuleDecomposer
from stvg_core.errors import StvgError
from stvg_core.mllm.completing import complete
from stvg_core.mllm.loading import LoadedModel
from stvg_core.settings import ActionSubject, SeenSettings


class DecomposerError(StvgError):
    """The decomposer that the settings name cannot be made from the settings alone."""


def decomposer_for(settings: SeenSettings, loaded: LoadedModel | None, chat: Chat | None = None) -> Decomposer:
    """The decomposer that ``settings.decomposer`` names.

    Args:
        chat: the model that answers in words, where one does: "model" is that one.

    Raises:
        DecomposerError: "endpoint", whose address and key are not among the settings of the method; "model" where none
            is loaded.
    """
    if settings.decomposer == "rules":
        return RuleDecomposer(settings.action_subject)
    if settings.decomposer == "endpoint":
        raise DecomposerError(
            "Sentences are to be split by a language model behind an endpoint, but none was given. Pass one as "
            "decomposer=..., or set the decomposer to model or rules."
        )
    if chat is not None:
        return CachedDecomposer(AskingDecomposer("model", chat.complete, settings.action_subject))
    if loaded is None:
        raise DecomposerError(
            "Sentences are to be split by the model itself, and none is loaded. Pass a decomposer, or set it to rules."
        )
    return model_decomposer(loaded, settings.action_subject)


def model_decomposer(loaded: LoadedModel, action_subject: ActionSubject) -> Decomposer:
    """The loaded model itself, asked without the video."""

    def ask(prompt: str, max_tokens: int) -> str:
        return complete(loaded, prompt, max_tokens, stop="}")

    return CachedDecomposer(AskingDecomposer("model", ask, action_subject))
