"""The session against the plain eager forward pass of transformers: same logits, same rows, right gradients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, LlavaOnevisionForConditionalGeneration

from stvg_core.grounding.lra import lra_loss
from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.session import Session
from stvg_core.tube import Frames

QUESTIONS = [
    "Is there the red circle in this video?",
    "the red circle moving left.",
    "a star",
    "Describe this video in details.",
]


class Reference:
    """The straight way: one full eager forward per question, all maps kept."""

    def __init__(self, folder: Path) -> None:
        self.model = LlavaOnevisionForConditionalGeneration.from_pretrained(folder, attn_implementation="eager").eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    def __call__(self, pixels: torch.Tensor, question: str, cells: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probabilities of the first answer token, and ``[layers, heads, tokens after the video, cells]``."""
        video_id = self.model.config.video_token_id
        text = f"<|im_start|>user <video>\n{question}<|im_end|><|im_start|>assistant\n"
        ids = self.tokenizer(text)["input_ids"]
        place = ids.index(video_id)
        ids = ids[:place] + [video_id] * (cells + 1) + ids[place + 1 :]
        with torch.no_grad():
            output = self.model(input_ids=torch.tensor([ids]), pixel_values_videos=pixels[None], output_attentions=True)
        maps = torch.stack([layer[0] for layer in output.attentions])
        return output.logits[0, -1].log_softmax(-1), maps[:, :, place + cells + 1 :, place : place + cells]


@pytest.fixture(scope="module")
def reference(tiny_folder: Path) -> Reference:
    return Reference(tiny_folder)


@pytest.mark.parametrize(
    "size", [(5, 40, 60), (1, 33, 17), (20, 64, 36)], ids=["landscape", "one odd frame", "portrait"]
)
def test_rows_and_answers_equal_the_plain_eager_forward(
    tiny: LoadedModel, reference: Reference, noise: Callable[..., Frames], size: tuple[int, int, int]
) -> None:
    frames = noise(*size)
    session = Session(tiny, frames)
    answer = session.ask(session.prefill(), QUESTIONS, rows=True)
    t, h, w = session.shape
    for number, question in enumerate(QUESTIONS):
        logits, maps = reference(tiny.pixels(frames.pixels), question, t * h * w)
        margin = logits[list(tiny.yes_ids)].logsumexp(0) - logits[list(tiny.no_ids)].logsumexp(0)
        torch.testing.assert_close(answer.yes_minus_no[number], margin, atol=1e-5, rtol=0)
        watched = answer.rows[number]
        expected = maps.mean(dim=(0, 1))[-len(watched) :].view(-1, t, h, w)
        torch.testing.assert_close(watched, expected, atol=1e-6, rtol=0)


def test_chosen_layers_only(tiny: LoadedModel, reference: Reference, noise: Callable[..., Frames]) -> None:
    frames = noise()
    session = Session(tiny, frames)
    rows = session.ask(session.prefill(), QUESTIONS[:1], rows=True, layers=(0, 2)).rows[0]
    _, maps = reference(tiny.pixels(frames.pixels), QUESTIONS[0], session.visual.shape[0] * session.visual.shape[1])
    torch.testing.assert_close(rows, maps[[0, 2]].mean(dim=(0, 1))[-len(rows) :].view(rows.shape), atol=1e-6, rtol=0)


def test_a_prompt_of_zeros_changes_nothing_and_any_other_does(tiny: LoadedModel, noise: Callable[..., Frames]) -> None:
    session = Session(tiny, noise())
    plain = session.ask(session.prefill(), QUESTIONS).yes_minus_no
    torch.testing.assert_close(session.ask(session.prefill(session.zero_prompt()), QUESTIONS).yes_minus_no, plain)
    moved = session.ask(session.prefill(session.zero_prompt() + 0.5), QUESTIONS).yes_minus_no
    assert (moved - plain).abs().max() > 1e-3


def test_gradient_through_the_shared_prefix_equals_finite_differences(
    tiny: LoadedModel, noise: Callable[..., Frames]
) -> None:
    session = Session(tiny, noise(3))

    def loss(prompt: torch.Tensor) -> torch.Tensor:
        # The second question alone: the first shares the prefix and must not leak into the gradient.
        return lra_loss(session.ask(session.prefill(prompt), QUESTIONS[:2]).yes_minus_no)[1]

    prompt = session.zero_prompt().requires_grad_(True)
    (gradient,) = torch.autograd.grad(loss(prompt), prompt)
    torch.manual_seed(1)
    for _ in range(3):
        direction = torch.randn_like(gradient)
        step = 1e-2 * direction / direction.norm()
        measured = (loss(prompt.detach() + step) - loss(prompt.detach() - step)) / 2
        torch.testing.assert_close(measured, (gradient * step).sum(), rtol=2e-2, atol=1e-6)
    assert gradient.norm() > 0


def test_showing_it_backwards_equals_a_reversed_video_and_twice_is_the_identity(
    tiny: LoadedModel, noise: Callable[..., Frames]
) -> None:
    frames = noise(6)
    turned = Frames(frames.pixels[::-1].copy(), frames.indices[::-1].copy(), frames.seconds)
    forward, backward = Session(tiny, frames), Session(tiny, turned)

    def rows(session: Session, **kwargs: Any) -> torch.Tensor:
        return session.ask(session.prefill(**kwargs), QUESTIONS[1:2], rows=True).rows[0]

    torch.testing.assert_close(rows(forward, backwards=True), rows(backward))
    torch.testing.assert_close(rows(forward), rows(backward, backwards=True))
    assert (rows(forward) - rows(backward)).abs().max() > 1e-6


def test_watched_tokens_are_the_template_and_a_final_full_stop(tiny: LoadedModel) -> None:
    layout = tiny.prompts
    ids = layout.suffix("the red circle moving left.")
    roles = layout.tokenizer.convert_ids_to_tokens(ids)[-layout.watched("the red circle moving left.") :]
    assert roles == [".", "<|im_end|>", "<|im_start|>", "assistant", "\n"]
    assert layout.watched("Is there a star in this video?") == layout.role_length == 4


@pytest.mark.parametrize(("row", "column"), [(0, 0), (1, 2), (3, 3), (2, 0)])
def test_a_bright_square_lights_its_own_cell(tiny: LoadedModel, row: int, column: int) -> None:
    """The grid's cells lie where the boxes' maths says they lie, whatever the frame's shape."""
    import numpy as np

    from stvg_core.grounding.coverage import cell_coverage

    height, width = 120, 200
    box = np.array([column + 0.3, row + 0.3, column + 0.7, row + 0.7]) / 4
    dark = np.full((1, height, width, 3), 100, np.uint8)
    lit = dark.copy()
    x1, y1, x2, y2 = (box * [width, height, width, height]).round().astype(int)
    lit[:, y1:y2, x1:x2] = 255
    # The tower attends globally, so take its patch embeddings: the part that knows where a pixel lies.
    patches = (
        tiny.model.model.vision_tower.embeddings.patch_embedding
        if hasattr(tiny.model.model.vision_tower, "embeddings")
        else tiny.model.model.vision_tower.vision_model.embeddings.patch_embedding
    )
    with torch.no_grad():
        change = (patches(tiny.pixels(lit)) - patches(tiny.pixels(dark))).abs().sum(dim=1)[0]
    pooled = torch.nn.functional.interpolate(change[None, None], size=(4, 4), mode="bilinear")[0, 0]
    assert int(pooled.argmax()) == row * 4 + column
    assert int(cell_coverage(box, 4, 4).argmax()) == row * 4 + column
