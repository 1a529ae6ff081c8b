"""The loaded model in conversation: the likeliest words, the same as from the whole sequence at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stvg_core.chat.base import Ask, Shown
from stvg_core.chat.local import LocalChat, frames_of, say
from stvg_core.mllm.completing import ends_of
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.mllm.session import Session
from stvg_core.pipeline import Grounder
from stvg_core.settings import GroundingSettings
from tests.tiny_models import FAMILIES

RNG = np.random.default_rng(3)
ASK = Ask(
    tuple(Shown(f"Picture {n}, {n / 2:.2f} s:", RNG.integers(0, 255, (40, 56, 3), np.uint8), n / 2) for n in range(4)),
    "the red circle", 12,
)  # fmt: skip


def by_whole_sequences(loaded: LoadedModel, session: Session) -> str:
    """The same with everything after the prefill run anew for each word: no cache of words."""
    prefix, said = session.prefill(), list[int]()
    for _ in range(ASK.max_tokens):
        ids = [*loaded.prompts.suffix(ASK.question), *said]
        places = torch.arange(prefix.next_position, prefix.next_position + len(ids))
        embedded = loaded.model.get_input_embeddings()(torch.tensor([ids]))
        output = loaded.model.model.language_model(
            inputs_embeds=embedded, position_ids=places[None], past_key_values=session._repeat(prefix, 1)
        )
        token = int(loaded.model.lm_head(output.last_hidden_state[:, -1]).argmax())
        if token in ends_of(loaded):
            break
        said.append(token)
    return str(loaded.prompts.tokenizer.decode(said, skip_special_tokens=True))


@pytest.mark.parametrize("family", sorted(FAMILIES))
@torch.no_grad()
def test_every_family_speaks(family: str, tmp_path: Path) -> None:
    loaded = load(FAMILIES[family](tmp_path / family), device="cpu")
    (words,) = LocalChat(loaded).answers([ASK])
    session = Session(loaded, frames_of(ASK, loaded.family.frames_per_slot))
    assert session.shape[0] == len(ASK.pictures), "each picture is a slot"
    assert words == by_whole_sequences(loaded, session) == say(session, session.prefill(), ASK.question, 12)
    assert LocalChat(loaded).answers([ASK, ASK]) == [words, words]


def test_captions_are_painted_in_the_upper_left_corner() -> None:
    frames = frames_of(ASK, 2)
    assert frames.pixels.shape == (8, 40, 56, 3) and frames.seconds.tolist() == [0, 0, 0.5, 0.5, 1, 1, 1.5, 1.5]
    changed = (frames.pixels[0] != ASK.pictures[0].pixels).any(axis=-1)
    assert changed[:20].any() and not changed[24:].any()


def test_without_pictures_it_completes(tmp_path: Path) -> None:
    chat = LocalChat(load(FAMILIES["llava_onevision"](tmp_path / "m"), device="cpu"))
    assert chat.answers([Ask((), "the red circle", 5)]) == [chat.complete("the red circle", 5)]


def test_a_loaded_model_may_be_the_one_that_speaks(tmp_path: Path) -> None:
    settings = GroundingSettings(locator="marks", decomposer="rules")
    made = Grounder.from_pretrained(FAMILIES["llava_onevision"](tmp_path / "m"), device="cpu", settings=settings)
    assert made.locator.name == "marks" and made.loaded is not None
    assert made.model_version.startswith("llava-onevision-m@") and made.model_version.endswith(settings.digest())
