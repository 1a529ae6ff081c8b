"""The loaded model in conversation: the pictures are one video in front of it, its words are decoded greedily.

The session of the paper's locator does the looking, so every family of :mod:`stvg_core.mllm.families` can speak.
Captions are painted, because not every family has words between the pictures of a video. Pictures of a turn have one
size; a family that fuses two frames into a slot sees each picture twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from transformers import DynamicCache

from stvg_core.chat.base import Ask
from stvg_core.chat.pictures import paint
from stvg_core.mllm.completing import complete, ends_of
from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.session import Prefix, Session
from stvg_core.tube import Frames

_CAPTION_SHARE = 16
"""A painted caption is one of so many parts of the picture's height."""


class LocalChat:
    """As :class:`stvg_core.chat.base.Chat`, with the model on this machine."""

    def __init__(self, loaded: LoadedModel, name: str = "the loaded model") -> None:
        self.name = name
        self.loaded: LoadedModel = loaded

    def answers(self, asked: Sequence[Ask]) -> list[str]:
        """One after the other."""
        return [self._answer(one) for one in asked]

    def complete(self, prompt: str, max_tokens: int) -> str:
        return complete(self.loaded, prompt, max_tokens)

    @torch.no_grad()
    def _answer(self, asked: Ask) -> str:
        if not asked.pictures:
            return self.complete(asked.question, asked.max_tokens)
        session = Session(self.loaded, frames_of(asked, self.loaded.family.frames_per_slot))
        return say(session, session.prefill(), asked.question, asked.max_tokens)


def frames_of(asked: Ask, fused: int) -> Frames:
    """The pictures as a video, with their captions painted, each ``fused`` times."""
    painted = []
    for one in asked.pictures:
        pixels = one.pixels.copy()
        size = max(8.0, pixels.shape[0] / _CAPTION_SHARE)
        paint(pixels, one.caption.rstrip(":"), (0, size), size, (255, 255, 255), (0, 0, 0))
        painted.append(pixels)
    times = np.array([one.seconds for one in asked.pictures])
    pixels = np.repeat(np.stack(painted), fused, axis=0)
    return Frames(pixels, np.arange(len(pixels)), np.repeat(times, fused))


def say(session: Session, prefix: Prefix, question: str, max_tokens: int) -> str:
    """The model's words after a prefill, always the likeliest token, until it ends its turn."""
    loaded = session.loaded
    language_model, head = loaded.model.model.language_model, loaded.model.lm_head
    cache = DynamicCache()
    for layer, (keys, values) in enumerate(prefix.keys_values):
        cache.update(keys, values, layer)
    ids, position, ends = loaded.prompts.suffix(question), prefix.next_position, set(ends_of(loaded))
    said: list[int] = []
    while len(said) < max_tokens:
        places = torch.arange(position, position + len(ids), device=loaded.device)
        embedded = loaded.model.get_input_embeddings()(torch.tensor([ids], device=loaded.device))
        output = language_model(
            inputs_embeds=embedded.to(loaded.device), position_ids=places[None], past_key_values=cache, use_cache=True
        )
        token = int(head(output.last_hidden_state[:, -1]).argmax(dim=-1))
        position += len(ids)
        if token in ends:
            break
        said.append(token)
        ids = [token]
    return str(loaded.prompts.tokenizer.decode(said, skip_special_tokens=True))
