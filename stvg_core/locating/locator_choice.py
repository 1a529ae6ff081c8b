"""Which locator do the settings ask for?"""

from __future__ import annotations

from collections.abc import Callable

from stvg_core.chat.base import Chat
from stvg_core.errors import ModelError
from stvg_core.locating.base import Locator
from stvg_core.mllm.loading import LoadedModel
from stvg_core.proposals import Proposer
from stvg_core.settings import GroundingSettings


def locator_for(
    settings: GroundingSettings, loaded: LoadedModel | None, chat: Chat | None, proposer: Proposer, device: str
) -> Locator:
    """The locator that ``settings.locator`` names.

    Args:
        loaded: the model on this machine, if there is one. It speaks where no ``chat`` is given.
        chat: who is asked by a locator that uses words.
        device: where the proposer's models are.

    Raises:
        ModelError: there is nobody who could look, or speak.
    """
    if settings.locator == "attention":
        from stvg_core.locating.attention import AttentionLocator

        if loaded is None:
            raise ModelError(
                "The locator attention looks with a model on this machine, and none is loaded. Load one, or set the "
                "locator to speak, marks or pick."
            )
        return AttentionLocator(loaded)
    from stvg_core.locating.marks import MarksView
    from stvg_core.locating.pick import PickView
    from stvg_core.locating.speak import SpeakView
    from stvg_core.locating.words import WordsLocator, WordsView

    if chat is None:
        if loaded is None:
            raise ModelError(
                f"The locator {settings.locator} needs a model that speaks: load one, or name an endpoint."
            )
        from stvg_core.chat.local import LocalChat

        chat = LocalChat(loaded)
    views: dict[str, Callable[..., WordsView]] = {"speak": SpeakView, "marks": MarksView, "pick": PickView}
    return WordsLocator(settings.locator, chat, proposer.follow, views[settings.locator], device)
