"""From words to token ids: the text before and between the visual tokens, after them, and which are role tokens.

Everything is found by rendering the checkpoint's own chat template; no token id or index is written down here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jinja2 import TemplateError

from stvg_core.errors import ModelError
from stvg_core.mllm.spelling import Spelling


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

    def watched(self, question: str) -> int:
        """How many tokens at the end are candidates for the grounding token: the role tokens and a final full stop."""
        suffix = self.suffix(question)
        before = suffix[-self.role_length - 1] if len(suffix) > self.role_length else None
        full_stop = before is not None and self.tokenizer.decode([before]).strip() == "."
        return self.role_length + int(full_stop)

    def _parts(self, question: str, seconds: tuple[float, ...]) -> list[list[int]]:
        """The rendered conversation as token ids, split at the slots: one list more than there are slots."""
        text = self.spelling.expand(self._render(question), seconds)
        # A template that already writes the beginning-of-sequence token must not get a second one.
        has_bos = bool(self.tokenizer.bos_token) and text.startswith(self.tokenizer.bos_token)
        ids = list(self.tokenizer(text, add_special_tokens=not has_bos)["input_ids"])
        parts, rest = [], ids
        # A query may spell the mark out; the video's own ones come first and the words stay words.
        for _ in seconds:
            if self.video_token_id not in rest:
                raise ModelError(f"The tokenizer has no token for {self.spelling.mark}, which stands for the video.")
            place = rest.index(self.video_token_id)
            parts.append(rest[:place])
            rest = rest[place + 1 :]
        return [*parts, rest]

    def _render(self, question: str) -> str:
        content = [{"type": "video"}, {"type": "text", "text": question}]
        try:
            rendered = self.tokenizer.apply_chat_template(
                [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
            )
        except (TemplateError, TypeError) as error:
            raise ModelError(f"The model's chat template cannot show a video and a question: {error}") from error
        return str(rendered)


@dataclass(frozen=True)
class QuestionBatch:
    """B questions of different lengths as one batch of suffixes on a prefix, on the CPU.

    Attributes:
        ids: ``[B, L]``, padded on the left, so that the watched tokens of all questions are the last ones.
        positions: ``[B, L]``; the first token of each question goes on where the prefix ends.
        mask: ``[B, 1, L, N+L]`` bool: who is seen by whom.
        watched: how many tokens at the end of each are candidates for the grounding token.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    watched: list[int]

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


def answer_ids(tokenizer: Any, word: str) -> tuple[int, ...]:
    """Ids of all one-token spellings of an answer: case and a leading space (method, stage 6).

    Raises:
        ModelError: the tokenizer has no one-token spelling.
    """
    found: dict[int, None] = {}
    for spelling in (word.lower(), word.capitalize(), word.upper()):
        for text in (spelling, " " + spelling):
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            if len(ids) == 1 and ids[0] != tokenizer.unk_token_id:
                found[ids[0]] = None
    if not found:
        raise ModelError(f"The tokenizer has no single token for {word!r}, so its probability cannot be read.")
    return tuple(found)
