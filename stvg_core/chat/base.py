"""What is asked of a model that sees pictures and writes words. No torch, no HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from stvg_core.errors import StvgError
from stvg_core.tube import Array

if TYPE_CHECKING:
    from stvg_core.mllm.loading import LoadedModel


class ChatError(StvgError):
    """The model gave no answer: it cannot be reached, refuses, or what came back is none."""


@dataclass(frozen=True)
class Shown:
    """One picture.

    Attributes:
        caption: what is to be known of it. Written before the picture as text; a model that takes the pictures as one
            video has it painted into the upper left corner.
        pixels: ``(H, W, 3)`` uint8 RGB, as large as it is sent.
        seconds: when it is, for models whose pictures have times.
    """

    caption: str
    pixels: Array = field(repr=False)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != "uint8":
            raise ValueError(f"a picture is (H, W, 3) uint8, got {self.pixels.shape} {self.pixels.dtype}")


@dataclass(frozen=True)
class Ask:
    """One user turn: pictures in their order, then the question.

    Attributes:
        max_tokens: at most so many new tokens.
    """

    pictures: tuple[Shown, ...]
    question: str
    max_tokens: int = 1000


class Chat(Protocol):
    """A model in conversation, always at its likeliest words.

    Attributes:
        name: the model's name, for the record: no address and no key.
        loaded: the model on this machine; None where it is elsewhere.
    """

    @property
    def name(self) -> str: ...
    @property
    def loaded(self) -> LoadedModel | None: ...

    def answers(self, asked: Sequence[Ask]) -> list[str]:
        """The model's words to each, in the same order; they may be asked side by side.

        Raises:
            ChatError: one of them has no answer.
        """
        ...

    def complete(self, prompt: str, max_tokens: int) -> str:
        """The same for words alone. Raises as :meth:`answers`."""
        ...
