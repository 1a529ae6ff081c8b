"""What is written around the slots of a video, and which tokens after it are watched."""

from __future__ import annotations

from pathlib import Path

import pytest

from stvg_core.errors import ModelError
from stvg_core.mllm.layout import TokenLayout
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.mllm.prompts import PromptLayout, QuestionBatch
from tests.tiny_models import FAMILIES

ROLES = {
    "llava_onevision": [".", "<|im_end|>", "<|im_start|>", "assistant", "\n"],
    "llava_next_video": [".", "assistant", ":"],
}


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_watched_tokens_are_the_template_and_a_final_full_stop(family: str, tmp_path: Path) -> None:
    layout = load(FAMILIES[family](tmp_path / family), device="cpu").prompts
    question = "the red circle moving left."
    ids = layout.suffix(question)
    roles = layout.tokenizer.convert_ids_to_tokens([ids[-place] for place in layout.watched(question)])
    assert roles == ROLES.get(family, [".", "<|im_end|>", "\n", "<|im_start|>", "assistant", "\n"])
    assert layout.watched("Is there a star in this video?") == tuple(range(len(roles) - 1, 0, -1))


@pytest.mark.parametrize(
    ("family", "first", "second", "last"),
    [
        ("qwen3_vl", "\n < 0 . 5 seconds > <|vision_start|>", "<|vision_end|> < 1 . 3 seconds > <|vision_start|>",
         "<|vision_end|> a star"),
        ("internvl", "\n frame1 : <img>", "</img> \n frame2 : <img>", "</img> \n a star"),
        ("llava_next_video", "user :", "", "\n a star"),
        ("qwen2_5_vl", "user \n", "", "a star"),
    ],
)  # fmt: skip
def test_what_is_written_around_slots(family: str, first: str, second: str, last: str, tmp_path: Path) -> None:
    layout = load(FAMILIES[family](tmp_path / family), device="cpu").prompts
    said = [layout.tokenizer.decode(ids) for ids in layout.before_slots((0.5, 1.25001))]
    assert said[0].endswith(first) and said[1] == second
    assert layout.tokenizer.decode(layout.suffix("a star")).startswith(last)


def test_a_query_that_spells_the_placeholder_out(any_family: LoadedModel) -> None:
    """The template's own place is the video's; in the query the same characters are words."""
    layout = any_family.prompts
    mark = layout.spelling.mark
    assert layout.suffix(f"a {mark} star").count(layout.video_token_id) == 0
    assert layout.suffix(f"a {mark} star") == layout.suffix(f"a {mark[0]} {mark[1:]} star")
    assert not any(layout.video_token_id in ids for ids in layout.before_slots((0.0, 1.0)))


def test_a_placeholder_that_is_no_token(tiny: LoadedModel) -> None:
    with pytest.raises(ModelError, match="stands for the video"):
        PromptLayout.of(tiny.prompts.tokenizer, 10**6, tiny.prompts.spelling)


def test_questions_of_different_lengths_end_together(tiny: LoadedModel) -> None:
    batch = QuestionBatch.of(tiny.prompts, ["a star", "the red circle moving left."], prefix=3, next_position=10)
    short = len(tiny.prompts.suffix("a star"))
    assert batch.ids[0, -short:].tolist() == tiny.prompts.suffix("a star")
    assert batch.positions[0, -short:].tolist() == list(range(10, 10 + short))
    padded = batch.ids.shape[1] - short
    assert padded > 0 and not batch.mask[0, 0, :, 3 : 3 + padded].any() and batch.mask[0, 0, :, :3].all()
    assert batch.mask[1, 0, :, 3:].equal(batch.mask[1, 0, :, 3:].tril())


def test_cells_are_found_among_texts() -> None:
    layout = TokenLayout.of([2, 1], cells=3, trailing=1)
    assert layout.is_cell.int().tolist() == [0, 0, 1, 1, 1, 0, 1, 1, 1, 0]
    assert layout.columns.tolist() == [2, 3, 4, 6, 7, 8]
