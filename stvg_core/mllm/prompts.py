"""From words to token ids: the part before the visual tokens, the part after them, and which tokens are role tokens.

Everything is found by rendering the checkpoint's own chat template; no token id or index is written down here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stvg_core.errors import ModelError


@dataclass(frozen=True)
class PromptLayout:
    """Renders questions for one tokenizer.

    Attributes:
        head: token ids before the visual tokens; the same for every question.
        role_length: number of tokens that the chat template puts after the user's words (method, stage 3).
    """

    tokenizer: Any
    video_token_id: int
    head: tuple[int, ...]
    role_length: int

    @classmethod
    def of(cls, tokenizer: Any, video_token_id: int) -> PromptLayout:
        """Find head and role tokens by rendering two questions that end in different words."""
        (head, first), (_, second) = (_parts(tokenizer, video_token_id, text) for text in ("one red", "some blue"))
        shared = 0
        while shared < min(len(first), len(second)) and first[-1 - shared] == second[-1 - shared]:
            shared += 1
        if shared == 0:
            raise ModelError(
                "The model's chat template puts nothing after the user's words; it cannot ask for an answer."
            )
        return cls(tokenizer, video_token_id, tuple(head), shared)

    def suffix(self, question: str) -> list[int]:
        """Token ids after the visual tokens: the question and the role tokens."""
        return _parts(self.tokenizer, self.video_token_id, question)[1]

    def watched(self, question: str) -> int:
        """How many tokens at the end are candidates for the grounding token: the role tokens and a final full stop."""
        suffix = self.suffix(question)
        before = suffix[-self.role_length - 1] if len(suffix) > self.role_length else None
        full_stop = before is not None and self.tokenizer.decode([before]).strip() == "."
        return self.role_length + int(full_stop)


def _parts(tokenizer: Any, video_token_id: int, question: str) -> tuple[list[int], list[int]]:
    content = [{"type": "video"}, {"type": "text", "text": question}]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    # A template that already writes the beginning-of-sequence token must not get a second one.
    has_bos = bool(tokenizer.bos_token) and text.startswith(tokenizer.bos_token)
    ids = list(tokenizer(text, add_special_tokens=not has_bos)["input_ids"])
    places = [place for place, token in enumerate(ids) if token == video_token_id]
    if not places:
        raise ModelError("The model's chat template leaves no place for a video; is it a video checkpoint?")
    # A query may spell the placeholder out; the template's own one comes first and the words stay words.
    place = places[0]
    return ids[:place], ids[place + 1 :]


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
