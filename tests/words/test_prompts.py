"""With the real vocabularies: what the model reads, which tokens are watched, which ids are its answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sentencepiece
import torch
from transformers import AutoTokenizer

from stvg_core.mllm.families import FAMILIES as TABLE
from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.prompts import answer_ids
from stvg_core.mllm.session import Session
from stvg_core.query import NEUTRAL_PROMPT
from stvg_core.tube import Frames
from tests.mllm.reference import Reference
from tests.words.checkpoints import FAMILIES, QWEN_SYSTEM
from tests.words.vocabularies import write_llama

# What is read of two slots, at 0.5 and at 1.3 seconds, and a question; # stands for the cells of a slot.
PROMPTS = {
    "llava_onevision": "<|im_start|>user ##\nthe man.<|im_end|><|im_start|>assistant\n",
    "llava_next_video": "<s> USER: ##\nthe man. ASSISTANT:",
    "internvl": "<|im_start|>user\nFrame1: <img>#</img>\nFrame2: <img>#</img>\nthe man.<|im_end|>\n"
    "<|im_start|>assistant\n",
    "qwen2_vl": f"{QWEN_SYSTEM}<|im_start|>user\n<|vision_start|>##<|vision_end|>the man.<|im_end|>\n"
    "<|im_start|>assistant\n",
    "qwen3_vl": "<|im_start|>user\n<0.5 seconds><|vision_start|>#<|vision_end|><1.3 seconds><|vision_start|>#"
    "<|vision_end|>the man.<|im_end|>\n<|im_start|>assistant\n",
}
PROMPTS["qwen2_5_vl"] = PROMPTS["qwen2_vl"]
ROLES = {
    "llava_onevision": ["<|im_end|>", "<|im_start|>", "assistant", "\n"],
    "llava_next_video": ["ASS", "IST", "ANT", ":"],
}
CHATML_ROLES = ["<|im_end|>", "\n", "<|im_start|>", "assistant", "\n"]
VIDEO_IDS = {"llava_onevision": 151647, "llava_next_video": 32000, "internvl": 151667}
QWEN_VIDEO_ID = 151656
# The token that holds the final full stop, as both vocabularies have it.
STOPS = [
    ("the man in red.", "."),
    ('the man says "go."', '."'),
    ("the man says “go.”", ".”"),
    ("the man says 'go.'", ".'"),
    ("the man (in red).", ")."),
    ("(the man goes.)", ".)"),
    ("the man waits...", "..."),
    ("the man waits…", "…"),
    ("the man asks who?.", "?."),
    ("红衣男人走。", "。"),
    ("他说「走。」", "。"),
    ("he goes．", "．"),
    ("he goes｡", "｡"),
    ("Is there a man in this video?", None),
    ("the man asks “who?”", None),
    ("谁在走？", None),
    ("the man in red", None),
    ("the boys'", None),
]


def test_the_prompt_is_the_published_one(family: str, loaded: LoadedModel) -> None:
    layout = loaded.prompts
    parts = [*layout.before_slots((0.5, 1.25001)), layout.suffix("the man.")]
    assert "#".join(layout.tokenizer.decode(ids) for ids in parts) == PROMPTS[family]
    assert layout.video_token_id == VIDEO_IDS.get(family, QWEN_VIDEO_ID)


@pytest.mark.parametrize(("question", "stop"), STOPS)
def test_the_role_tokens_and_a_final_full_stop_are_watched(
    family: str, loaded: LoadedModel, question: str, stop: str | None
) -> None:
    layout = loaded.prompts
    ids, places = layout.suffix(question), layout.watched(question)
    roles = ROLES.get(family, CHATML_ROLES)
    said = [layout.tokenizer.decode([ids[-place]]) for place in places[-len(roles) :]]
    assert said == roles and places[-len(roles) :] == tuple(range(len(roles), 0, -1))
    if stop is None:
        assert len(places) == len(roles)
        return
    assert len(places) == len(roles) + 1
    # A rare stop is three tokens in the smaller vocabulary, one for each byte; the last one is watched.
    bytes_of = 3 if stop == "｡" and family == "llava_next_video" else 1
    end = len(ids) - places[0] + 1
    assert layout.tokenizer.decode(ids[end - bytes_of : end]).strip() == stop


def test_the_neutral_prompt_watches_as_many_tokens_as_any_statement(loaded: LoadedModel) -> None:
    layout = loaded.prompts
    for question, stop in STOPS:
        watched = len(layout.watched(question))
        assert watched == len(layout.watched(NEUTRAL_PROMPT)) - (stop is None)


def test_the_parts_meet_as_in_the_whole_prompt(
    loaded: LoadedModel, reference: Reference, noise: Callable[..., Frames]
) -> None:
    """Token by token what transformers' own processor writes, tokenized at once: nothing merges across a cut."""
    frames = noise(3 * loaded.family.frames_per_slot)
    session = Session(loaded, frames)
    video = reference.inputs(loaded, frames, session.shape)
    for question, _ in STOPS:
        whole = reference.ids(frames, question, session.shape, video)
        mark = loaded.prompts.video_token_id
        before = loaded.prompts.before_slots(session._tokens.seconds)
        parts = [token for ids in before for token in [*ids, *[mark] * (session.h * session.w)]]
        parts += [mark] * len(session._tokens.trailing)
        assert [*parts, *loaded.prompts.suffix(question)] == whole


def test_rows_and_answers_equal_the_plain_forward(
    loaded: LoadedModel, reference: Reference, noise: Callable[..., Frames]
) -> None:
    """As in tests/mllm, here where the full stop stands apart from the role tokens, and with pooled answers."""
    frames = noise(2 * loaded.family.frames_per_slot)
    session = Session(loaded, frames)
    questions = ["他说「走。」", "Is there the man (in red) in this video?", NEUTRAL_PROMPT]
    answer = session.ask(session.prefill(), questions, rows=True)
    for number, question in enumerate(questions):
        logits, maps = reference(loaded, frames, question, session.shape)
        margin = logits[list(loaded.yes_ids)].logsumexp(0) - logits[list(loaded.no_ids)].logsumexp(0)
        torch.testing.assert_close(answer.yes_minus_no[number], margin, atol=1e-5, rtol=1e-5)
        places = [-place for place in loaded.prompts.watched(question)]
        expected = maps.mean(dim=(0, 1))[places].view(-1, *session.shape)
        torch.testing.assert_close(answer.rows[number], expected, atol=1e-6, rtol=0)


def test_both_answers_have_the_same_spellings(family: str, loaded: LoadedModel) -> None:
    """Llama's vocabulary has "NO" as one token and "YES" as two, so neither counts there."""
    tokenizer = loaded.prompts.tokenizer
    yes, no = (tokenizer.convert_ids_to_tokens(list(ids)) for ids in (loaded.yes_ids, loaded.no_ids))
    space = "▁" if family == "llava_next_video" else "Ġ"
    words = ["yes", "Yes"] if family == "llava_next_video" else ["yes", "Yes", "YES"]
    assert yes == [*words, *(space + word for word in words)]
    assert [word.lower().replace("yes", "no") for word in yes] == [word.lower() for word in no]
    assert [word.replace(space, "").istitle() for word in yes] == [word.replace(space, "").istitle() for word in no]
    assert answer_ids(tokenizer, "yes", "no") == (loaded.yes_ids, loaded.no_ids)


def test_a_query_that_spells_special_tokens_out_stays_words(loaded: LoadedModel) -> None:
    """Otherwise it could end the user's turn, and InternVL's <video> has no row in the embeddings."""
    layout, rows = loaded.prompts, loaded.model.get_input_embeddings().num_embeddings
    special = layout.tokenizer.get_added_vocab()
    assert len(special) >= 3
    usual = [token for token in layout.suffix("the man.") if token in special.values()]
    for token in special:
        ids = layout.suffix(f"the man {token}.")
        assert [number for number in ids if number in special.values()] == usual
        assert max(ids) < rows
        assert len(layout.watched(f"the man {token}.")) == layout.role_length + 1


def test_the_sentencepiece_words_are_the_librarys_own(tmp_path: Path) -> None:
    """What transformers makes of the file, against the library that the file is made for."""
    write_llama(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    oracle = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    for question, _ in STOPS:
        assert tokenizer(question, add_special_tokens=False)["input_ids"] == oracle.encode(question)


def test_every_family_of_the_table_has_its_facts() -> None:
    assert set(FAMILIES) == set(TABLE) == set(PROMPTS)
