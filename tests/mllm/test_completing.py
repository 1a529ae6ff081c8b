from __future__ import annotations

from collections.abc import Callable

import torch

from stvg_core.mllm.completing import complete
from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.session import Session
from stvg_core.tube import Frames

PROMPT = "is there a red circle moving left in this video ?"


def token_ids(loaded: LoadedModel, prompt: str) -> list[int]:
    tokenizer = loaded.prompts.tokenizer
    turn = [{"role": "user", "content": [{"type": "text", "text": prompt}]}]
    text = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def greedy(loaded: LoadedModel, ids: list[int], count: int) -> list[int]:
    """The likeliest token again and again, by whole forward passes without a cache."""
    new: list[int] = []
    for _ in range(count):
        embedded = loaded.model.get_input_embeddings()(torch.tensor([ids + new]))
        with torch.no_grad():
            hidden = loaded.model.model.language_model(inputs_embeds=embedded, use_cache=False).last_hidden_state
        new.append(int(loaded.model.lm_head(hidden[0, -1]).argmax()))
    return new


def test_the_likeliest_tokens_in_the_checkpoints_own_template(any_family: LoadedModel) -> None:
    expected = greedy(any_family, token_ids(any_family, PROMPT), 8)
    text = any_family.prompts.tokenizer.decode(expected, skip_special_tokens=True)
    assert complete(any_family, PROMPT, 8) == text
    assert complete(any_family, PROMPT, 8) == text  # nothing is left over from the first time


def test_it_ends_after_the_text_it_is_to_stop_at(tiny: LoadedModel) -> None:
    tokenizer = tiny.prompts.tokenizer
    new = greedy(tiny, token_ids(tiny, PROMPT), 8)
    words = [tokenizer.decode([token]) for token in new]
    stop = next(i for i in range(1, 8) if words[i].strip() and not any(words[i] in word for word in words[:i]))
    text = complete(tiny, PROMPT, 8, stop=words[stop])
    assert text == tokenizer.decode(new[: stop + 1], skip_special_tokens=True)


def test_sampling_settings_of_the_checkpoint_are_not_used(tiny: LoadedModel) -> None:
    plain = complete(tiny, PROMPT, 8)
    own = tiny.model.generation_config
    kept = own.do_sample, own.temperature, own.repetition_penalty
    own.do_sample, own.temperature, own.repetition_penalty = True, 5.0, 3.0
    try:
        assert complete(tiny, PROMPT, 8) == plain
    finally:
        own.do_sample, own.temperature, own.repetition_penalty = kept


def test_a_session_is_not_disturbed(any_family: LoadedModel, noise: Callable[..., Frames]) -> None:
    session = Session(any_family, noise(4))
    before = session.ask(session.prefill(), [PROMPT], rows=True)
    complete(any_family, PROMPT, 4)
    after = session.ask(session.prefill(), [PROMPT], rows=True)
    torch.testing.assert_close(after.yes_minus_no, before.yes_minus_no)
    torch.testing.assert_close(after.rows[0], before.rows[0])
