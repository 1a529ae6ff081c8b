"""From words to token ids: the text before and between the visual tokens, after them, and which are role tokens.

Everything is found by rendering the checkpoint's own chat template; no token id or index is written down here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch
from jinja2 import TemplateError

from stvg_core.errors import ModelError
from stvg_core.mllm.spelling import Spelling
from stvg_core.query import FULL_STOPS, without_closing

_BROKEN = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class PromptLayout:
    """Renders questions for one tokenizer.

    Attributes:
        video_token_id: the token that stands for the cells of a slot.
        spelling: what the family writes around the slots of a video.
        role_length: number of tokens that the chat template puts after the user's words (method, stage 3).
    """

    tokenizer: Any
    video_token_id: int
    spelling: Spelling
    role_length: int

    @classmethod
    def of(cls, tokenizer: Any, video_token_id: int, spelling: Spelling | None = None) -> PromptLayout:
        """Find the role tokens by rendering two questions that end in different words.

        Args:
            spelling: None where nothing stands between the slots and the template writes the video's token itself.

        Raises:
            ModelError: the template has no place for a video, or nothing after the user's words.
        """
        if spelling is None:
            video = str(tokenizer.convert_ids_to_tokens(video_token_id))
            spelling = Spelling((video,), video)
        layout = cls(tokenizer, video_token_id, spelling, 0)
        first, second = layout.suffix("one red"), layout.suffix("some blue")
        shared = 0
        while shared < min(len(first), len(second)) and first[-1 - shared] == second[-1 - shared]:
            shared += 1
        if shared == 0:
            raise ModelError(
                "The model's chat template puts nothing after the user's words; it cannot ask for an answer."
            )
        return cls(tokenizer, video_token_id, spelling, shared)

    @property
    def head(self) -> tuple[int, ...]:
        """Token ids before the first slot's cells, of a video that starts at 0 s; the same for every question."""
        return tuple(self.before_slots((0.0,))[0])

    def before_slots(self, seconds: tuple[float, ...]) -> list[list[int]]:
        """Token ids before each slot's cells, one list per slot; the first holds all that precedes the video.

        Args:
            seconds: when each slot was seen.
        """
        return self._parts("", seconds)[:-1]

    def suffix(self, question: str) -> list[int]:
        """Token ids after the last slot's cells: the question and the role tokens."""
        return self._parts(question, (0.0,))[-1]

    def watched(self, question: str) -> tuple[int, ...]:
        """Places of the candidates for the grounding token, counted from the end (1 is the last token), largest first.

        They are the role tokens, and before them the token that holds the question's final full stop. Real vocabularies
        join the stop with what stands beside it (``."``, ``).``, ``...``, ``?.``), or put a closing quote after it as a
        token of its own, which is not watched.
        """
        roles = tuple(range(self.role_length, 0, -1))
        stop = self._full_stop(self.suffix(question)[: -self.role_length])
        return roles if stop is None else (self.role_length + stop, *roles)

    def _full_stop(self, words: list[int]) -> int | None:
        """Place from the end of the token that ends a sentence's final full stop; None where it ends otherwise."""
        closing = 0
        for count in range(1, len(words) + 1):
            text = self.tokenizer.decode(words[-count:])
            if text.lstrip().startswith(_BROKEN):
                continue  # the last bytes of a character that is several tokens
            if said := without_closing(text):
                return closing + 1 if said.endswith(tuple(FULL_STOPS)) else None
            closing = count
        return None

    def _parts(self, question: str, seconds: tuple[float, ...]) -> list[list[int]]:
        """The rendered conversation as token ids, split at the slots: one list more than there are slots."""
        text = self.spelling.expand(self._render(question), seconds)
        # A template that already writes the beginning-of-sequence token must not get a second one.
        has_bos = bool(self.tokenizer.bos_token) and text.startswith(self.tokenizer.bos_token)
        ids = list(self.tokenizer(text, add_special_tokens=not has_bos)["input_ids"])
        parts, rest = [], ids
        for _ in seconds:
            if self.video_token_id not in rest:
                raise ModelError(f"The tokenizer has no token for {self.spelling.mark}, which stands for the video.")
            place = rest.index(self.video_token_id)
            parts.append(rest[:place])
            rest = rest[place + 1 :]
        return [*parts, rest]

    def _render(self, question: str) -> str:
        content = [{"type": "video"}, {"type": "text", "text": self._words(question)}]
        try:
            rendered = self.tokenizer.apply_chat_template(
                [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
            )
        except (TemplateError, TypeError) as error:
            raise ModelError(f"The model's chat template cannot show a video and a question: {error}") from error
        return str(rendered)

    def _words(self, question: str) -> str:
        """The question with a space inside every special token that it spells out, so that words stay words.

        As a token it could end the user's turn, stand for a video, or have no place in the model's embeddings at all
        (InternVL's ``<video>``).
        """
        special = sorted(filter(None, self.tokenizer.get_added_vocab()), key=len, reverse=True)
        pattern = "|".join(map(re.escape, special))
        return re.sub(pattern, lambda found: found[0][0] + " " + found[0][1:], question) if special else question


@dataclass(frozen=True)
class QuestionBatch:
    """B questions of different lengths as one batch of suffixes on a prefix, on the CPU.

    Attributes:
        ids: ``[B, L]``, padded on the left, so that the role tokens of all questions are the last ones.
        positions: ``[B, L]``; the first token of each question goes on where the prefix ends.
        mask: ``[B, 1, L, N+L]`` bool: who is seen by whom.
        watched: for each, the places from the end of the candidates for the grounding token.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    watched: list[tuple[int, ...]]

    @classmethod
    def of(cls, prompts: PromptLayout, questions: list[str], prefix: int, next_position: int) -> QuestionBatch:
        """For a prefix of N tokens after which text goes on at ``next_position``."""
        suffixes = [prompts.suffix(question) for question in questions]
        longest = max(map(len, suffixes))
        padding = torch.tensor([longest - len(ids) for ids in suffixes])
        ids = torch.tensor([[suffix[0]] * (longest - len(suffix)) + suffix for suffix in suffixes])
        steps = torch.arange(longest)
        positions = next_position + (steps[None] - padding[:, None]).clamp(min=0)
        seen = (steps[None, None] <= steps[None, :, None]) & (steps[None, None] >= padding[:, None, None])
        # A padding token sees the prefix, so that no row of the softmax is empty; nobody sees a padding token.
        mask = torch.cat([seen.new_ones(len(ids), longest, prefix), seen], dim=2)[:, None]
        return cls(ids, positions, mask, [prompts.watched(question) for question in questions])


def answer_ids(tokenizer: Any, *answers: str) -> tuple[tuple[int, ...], ...]:
    """Ids of the one-token spellings of each answer: case and a leading space (method, stage 6).

    A spelling counts only where it is a token of its own for every answer, so that the pools are equally large. In
    Llama's vocabulary "NO" is one token and "YES" is two: "NO" alone would favour one answer whatever is seen.

    Returns:
        One tuple per answer; the same place in each holds the same spelling.

    Raises:
        ModelError: the tokenizer has no spelling that is one token for every answer.
    """
    found: list[tuple[int, ...]] = []
    for space in ("", " "):
        for change in (str.lower, str.capitalize, str.upper):
            ids = [_one_token(tokenizer, space + change(answer)) for answer in answers]
            known = {number for spelling in found for number in spelling}
            if None not in ids and len(set(ids)) == len(ids) and known.isdisjoint(ids):
                found.append(tuple(number for number in ids if number is not None))
    if not found:
        words = " and ".join(map(repr, answers))
        raise ModelError(f"The tokenizer has no single token for {words}, so their probability cannot be read.")
    return tuple(zip(*found, strict=True))


def _one_token(tokenizer: Any, text: str) -> int | None:
    """The id of a text that is one token in the middle of others; None where it is several, or unknown."""
    # On a line of its own: Llama-type tokenizers put a space before a text that begins.
    line, both = (tokenizer(before, add_special_tokens=False)["input_ids"] for before in ("\n", "\n" + text))
    rest = list(both[len(line) :])
    alone = both[: len(line)] == line and len(rest) == 1 and rest[0] != tokenizer.unk_token_id
    return int(rest[0]) if alone else None
