"""The session against the plain eager forward pass of transformers: same logits, same rows, right gradients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers import AutoConfig, AutoTokenizer
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from stvg_core.grounding.coverage import cell_coverage
from stvg_core.grounding.lra import lra_loss
from stvg_core.mllm.encoding import grid_for
from stvg_core.mllm.families import FAMILIES
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.mllm.session import Session
from stvg_core.tube import Frames
from tests.tiny_models import FAMILIES as TINY

QUESTIONS = [
    "Is there the red circle in this video?",
    "the red circle moving left.",
    "a star",
    "Describe this video in details.",
]


class Reference:
    """The straight way: the model's own forward with eager attention, a full pass per question, all maps kept."""

    def __init__(self, folder: Path) -> None:
        model_class = getattr(transformers, FAMILIES[AutoConfig.from_pretrained(folder).model_type].model_class)
        self.model = model_class.from_pretrained(folder, attn_implementation="eager").eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    def __call__(
        self, loaded: LoadedModel, frames: Frames, question: str, shape: tuple[int, int, int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probabilities of the first answer token, and ``[layers, heads, tokens after the video, T*h*w]``."""
        t, h, w = shape
        cells = t * h * w
        video: dict[str, Any]
        if self.model.config.model_type == "llava_onevision":
            video, extra = {"pixel_values_videos": loaded.pixels(frames.pixels)[None]}, 1
        else:
            vision, extra = self.model.config.vision_config, 0
            cell = vision.patch_size * vision.spatial_merge_size
            pixels = loaded.pixels(frames.pixels, (h * cell, w * cell))
            grid = torch.tensor([[t, h * vision.spatial_merge_size, w * vision.spatial_merge_size]])
            video = {"pixel_values_videos": patches_one_by_one(pixels, vision), "video_grid_thw": grid}
            if self.model.config.model_type == "qwen2_5_vl":
                slot_seconds = frames.seconds.reshape(t, 2).mean(axis=1)
                spacing = np.diff(slot_seconds).mean() if t > 1 else 1.0
                video["second_per_grid_ts"] = torch.tensor([spacing])
        video_id = self.model.config.video_token_id
        message = [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": question}]}]
        text = self.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        ids = self.tokenizer(text)["input_ids"]
        place = ids.index(video_id)
        ids = torch.tensor([ids[:place] + [video_id] * (cells + extra) + ids[place + 1 :]])
        if extra == 0:
            video["mm_token_type_ids"] = (ids == video_id).int() * 2
        with torch.no_grad():
            output = self.model(input_ids=ids, attention_mask=torch.ones_like(ids), output_attentions=True, **video)
        maps = torch.stack([layer[0] for layer in output.attentions])
        return output.logits[0, -1].log_softmax(-1), maps[:, :, place + cells + extra :, place : place + cells]


def patches_one_by_one(pixels: torch.Tensor, vision: Any) -> torch.Tensor:
    """Qwen's order written down plainly: by slot, cell row, cell column, patch row, patch column in the cell."""
    size, merge, fused = vision.patch_size, vision.spatial_merge_size, vision.temporal_patch_size
    rows = []
    for slot in range(0, len(pixels), fused):
        for top in range(0, pixels.shape[2], size * merge):
            for left in range(0, pixels.shape[3], size * merge):
                for y in range(top, top + size * merge, size):
                    for x in range(left, left + size * merge, size):
                        patch = pixels[slot : slot + fused, :, y : y + size, x : x + size]
                        rows.append(patch.transpose(0, 1).flatten())  # channel, frame, row, column
    return torch.stack(rows)


@pytest.fixture(scope="module")
def reference(family_folder: Path) -> Reference:
    return Reference(family_folder)


def test_every_family_of_the_table_is_tested() -> None:
    assert set(TINY) == set(FAMILIES)


@pytest.mark.parametrize(
    "size", [(5, 40, 60), (1, 33, 17), (10, 64, 36)], ids=["landscape", "one odd slot", "portrait"]
)
def test_rows_and_answers_equal_the_plain_eager_forward(
    any_family: LoadedModel, reference: Reference, noise: Callable[..., Frames], size: tuple[int, int, int]
) -> None:
    slots, height, width = size
    frames = noise(slots * any_family.family.frames_per_slot, height, width)
    session = Session(any_family, frames)
    answer = session.ask(session.prefill(), QUESTIONS, rows=True)
    assert session.shape[0] == slots
    for number, question in enumerate(QUESTIONS):
        logits, maps = reference(any_family, frames, question, session.shape)
        margin = logits[list(any_family.yes_ids)].logsumexp(0) - logits[list(any_family.no_ids)].logsumexp(0)
        torch.testing.assert_close(answer.yes_minus_no[number], margin, atol=1e-5, rtol=1e-5)
        watched = answer.rows[number]
        expected = maps.mean(dim=(0, 1))[-len(watched) :].view(-1, *session.shape)
        torch.testing.assert_close(watched, expected, atol=1e-6, rtol=0)


def test_chosen_layers_only(any_family: LoadedModel, reference: Reference, noise: Callable[..., Frames]) -> None:
    frames = noise(4)
    session = Session(any_family, frames)
    rows = session.ask(session.prefill(), QUESTIONS[:1], rows=True, layers=(0, 2)).rows[0]
    _, maps = reference(any_family, frames, QUESTIONS[0], session.shape)
    torch.testing.assert_close(rows, maps[[0, 2]].mean(dim=(0, 1))[-len(rows) :].view(rows.shape), atol=1e-6, rtol=0)


def test_a_prompt_of_zeros_changes_nothing_and_any_other_does(
    any_family: LoadedModel, noise: Callable[..., Frames]
) -> None:
    session = Session(any_family, noise(4))
    plain = session.ask(session.prefill(), QUESTIONS).yes_minus_no
    torch.testing.assert_close(session.ask(session.prefill(session.zero_prompt()), QUESTIONS).yes_minus_no, plain)
    moved = session.ask(session.prefill(session.zero_prompt() + 0.5), QUESTIONS).yes_minus_no
    assert (moved - plain).abs().max() > 1e-3


def test_gradient_through_the_shared_prefix_equals_finite_differences(
    any_family: LoadedModel, noise: Callable[..., Frames]
) -> None:
    session = Session(any_family, noise(4))

    def margin(prompt: torch.Tensor) -> torch.Tensor:
        # The second question alone: the first shares the prefix and must not leak into the gradient.
        return session.ask(session.prefill(prompt), QUESTIONS[:2]).yes_minus_no[1]

    prompt = session.zero_prompt().requires_grad_(True)
    value = margin(prompt)
    (gradient,) = torch.autograd.grad(value, prompt, retain_graph=True)
    (of_loss,) = torch.autograd.grad(lra_loss(value), prompt)
    torch.testing.assert_close(of_loss, -value.detach().exp() * gradient)
    torch.manual_seed(1)
    for _ in range(3):
        direction = torch.randn_like(gradient)
        step = 2e-3 * direction / direction.norm()
        measured = (margin(prompt.detach() + step) - margin(prompt.detach() - step)) / 2
        torch.testing.assert_close(measured, (gradient * step).sum(), rtol=2e-2, atol=1e-5)
    assert gradient.norm() > 0


def test_showing_it_backwards_twice_is_the_identity(any_family: LoadedModel, noise: Callable[..., Frames]) -> None:
    session = Session(any_family, noise(6))

    def rows(**kwargs: Any) -> torch.Tensor:
        return session.ask(session.prefill(**kwargs), QUESTIONS[1:2], rows=True).rows[0]

    forward, backward = rows(), rows(backwards=True)
    assert (forward - backward).abs().max() > 1e-6
    session.visual = session.visual.flip(0)
    torch.testing.assert_close(rows(backwards=True), forward)


def test_showing_it_backwards_equals_a_reversed_video(tiny: LoadedModel, noise: Callable[..., Frames]) -> None:
    """Where a slot is one frame; fused frames keep their order inside the slot."""
    frames = noise(6)
    turned = Frames(frames.pixels[::-1].copy(), frames.indices[::-1].copy(), frames.seconds)
    forward, backward = Session(tiny, frames), Session(tiny, turned)
    one = forward.ask(forward.prefill(backwards=True), QUESTIONS[1:2], rows=True).rows[0]
    other = backward.ask(backward.prefill(), QUESTIONS[1:2], rows=True).rows[0]
    torch.testing.assert_close(one, other)


def test_watched_tokens_are_the_template_and_a_final_full_stop(tiny: LoadedModel) -> None:
    layout = tiny.prompts
    ids = layout.suffix("the red circle moving left.")
    roles = layout.tokenizer.convert_ids_to_tokens(ids)[-layout.watched("the red circle moving left.") :]
    assert roles == [".", "<|im_end|>", "<|im_start|>", "assistant", "\n"]
    assert layout.watched("Is there a star in this video?") == layout.role_length == 4


@pytest.mark.parametrize(("row", "column"), [(0, 0), (1, 2), (3, 3), (2, 0)])
def test_a_bright_square_lights_its_own_cell(tiny: LoadedModel, row: int, column: int) -> None:
    """The grid's cells lie where the boxes' maths says they lie, whatever the frame's shape."""
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


@pytest.fixture(scope="module", params=["qwen2_vl", "qwen2_5_vl"])
def qwen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load(TINY[request.param](tmp_path_factory.mktemp("qwen") / "model"), device="cpu")


@pytest.mark.parametrize(("row", "column"), [(0, 0), (1, 2), (3, 3), (2, 0)])
def test_a_bright_square_lights_its_own_patch_cell(row: int, column: int, qwen: LoadedModel) -> None:
    """Through resize and patches: the patch embeddings change most where the boxes' maths says the square lies."""
    dark = np.full((2, 32, 32, 3), 100, np.uint8)
    box = np.array([column + 0.2, row + 0.2, column + 0.8, row + 0.8]) / 4
    lit = dark.copy()
    x1, y1, x2, y2 = (box * 32).round().astype(int)
    lit[:, y1:y2, x1:x2] = 255
    vision = qwen.model.config.vision_config
    both = [qwen.pixels(pixels, (32, 32)) for pixels in (lit, dark)]
    with torch.no_grad():
        with_square, without = (qwen.model.model.visual.patch_embed(patches_one_by_one(p, vision)) for p in both)
    per_cell = (with_square - without).abs().sum(dim=1).view(16, -1).sum(dim=1)
    assert int(per_cell.argmax()) == row * 4 + column == int(cell_coverage(box, 4, 4).argmax())


def test_pixels_and_patches_equal_the_processor_of_transformers(qwen: LoadedModel) -> None:
    """Its image processor works without torchvision and shows a picture as two equal frames."""
    picture = np.random.default_rng(0).integers(0, 255, (40, 64, 3), dtype=np.uint8)
    processor = Qwen2VLImageProcessorPil(
        patch_size=4, merge_size=2, temporal_patch_size=2, size={"shortest_edge": 64, "longest_edge": 100_000},
        image_mean=[0.5] * 3, image_std=[0.5] * 3,
    )  # fmt: skip
    theirs = processor(images=picture, return_tensors="pt", input_data_format="channels_last")
    ours = qwen.pixels(np.stack([picture] * 2), (40, 64))
    assert theirs["image_grid_thw"].tolist() == [[1, 10, 16]]
    torch.testing.assert_close(
        patches_one_by_one(ours, qwen.model.config.vision_config), theirs["pixel_values"], atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("rows", "columns", "grid"),
    [(10.0, 10.0, (10, 10)), (5.1, 7.6, (5, 8)), (40.0, 40.0, (14, 14)), (20.0, 80.0, (7, 28)), (0.3, 900.0, (1, 196))],
)
def test_grids_keep_the_shape_and_the_budget(rows: float, columns: float, grid: tuple[int, int]) -> None:
    assert grid_for(rows, columns, 196) == grid
