"""Text from the language model, without a video: what the model says to a prompt, always the likeliest token."""

from __future__ import annotations

from typing import Any

import torch
from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList

from stvg_core.mllm.loading import LoadedModel


def complete(loaded: LoadedModel, prompt: str, max_tokens: int, *, stop: str = "") -> str:
    """The model's answer to one user turn in the checkpoint's own chat template, decoded greedily.

    Args:
        loaded: the model; no row capture may be open around this call.
        prompt: the user's words, taken as they are. A special token that they spell out becomes that token.
        max_tokens: at most so many new tokens.
        stop: end after the first token whose text has this in it; empty means only at the end of the turn.

    Returns:
        The new text without special tokens.
    """
    tokenizer = loaded.prompts.tokenizer
    content = [{"type": "text", "text": prompt}]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    has_bos = bool(tokenizer.bos_token) and text.startswith(tokenizer.bos_token)
    ids = torch.tensor([tokenizer(text, add_special_tokens=not has_bos)["input_ids"]], device=loaded.device)
    ends = ends_of(loaded)
    # A configuration of its own: checkpoints bring sampling temperatures and repetition penalties with theirs.
    greedy = GenerationConfig(
        do_sample=False, num_beams=1, repetition_penalty=1.0, temperature=1.0, top_p=1.0, top_k=50,
        max_new_tokens=max_tokens, eos_token_id=ends or None, pad_token_id=ends[0] if ends else 0,
    )  # fmt: skip
    criteria = StoppingCriteriaList([_StopAt(tokenizer, stop)] if stop else [])
    output = loaded.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=greedy, stopping_criteria=criteria
    )
    return str(tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True))


def ends_of(loaded: LoadedModel) -> list[int]:
    """Tokens that end a turn: the checkpoint's own, and the tokenizer's."""
    named = getattr(loaded.model.generation_config, "eos_token_id", None)
    ends = list(named) if isinstance(named, (list, tuple)) else [named]
    ends.append(loaded.prompts.tokenizer.eos_token_id)
    return [int(end) for end in dict.fromkeys(ends) if end is not None]


class _StopAt(StoppingCriteria):  # type: ignore[misc]
    """Stops after a token whose text has a given string in it; one sequence at a time."""

    def __init__(self, tokenizer: Any, text: str) -> None:
        self._tokenizer, self._text = tokenizer, text

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        found = self._text in self._tokenizer.decode(input_ids[0, -1:])
        return torch.tensor([found], device=input_ids.device)
