"""From sampled frames to visual tokens and their positions: the part in which families really differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from stvg_core.mllm.pixels import PixelPreparation
from stvg_core.tube import Frames

# Models whose input follows the frame could spend thousands of tokens on a slot; the paper's models spend 144 to 196.
MAX_CELLS = 196


@dataclass(frozen=True)
class VisualTokens:
    """One video's visual tokens, in slot order.

    Attributes:
        cells: ``[T, h*w, D]``, row by row inside a slot.
        h, w: the grid of a slot.
        trailing: ``[K, D]`` embeddings after the last slot that belong to no cell.
        seconds: ``(T,)`` when each slot was seen, the middle of its first and last frame.
        grid_thw: ``[1, 3]`` patches per video (on the CPU) for families with positions in space and time, else None.
        deepstack: ``[T, h*w, D]`` per level: what is added to the cells after each of the first layers (DeepStack).
        reach: share ``(down, across)`` of the model's view that the grid covers, from the top left corner.
    """

    cells: torch.Tensor
    h: int
    w: int
    trailing: torch.Tensor
    seconds: tuple[float, ...]
    grid_thw: torch.Tensor | None = None
    deepstack: tuple[torch.Tensor, ...] = ()
    reach: tuple[float, float] = (1.0, 1.0)


def encode_square(model: Any, prepare: PixelPreparation, frames: Frames) -> VisualTokens:
    """LLaVA-OneVision: a fixed square per frame, patches pooled 2 x 2, one newline token at the end."""
    side = math.ceil(model.config.vision_config.image_size // model.config.vision_config.patch_size / 2)
    features = model.model.get_video_features(_input(model, prepare(frames.pixels))[None]).pooler_output[0]
    cells = features[: len(frames) * side * side].view(len(frames), side * side, -1)
    # transformers appends the newline from 5.18 on; older releases leave that to the model's own forward pass.
    newline = model.model.image_newline[None].to(features)
    return VisualTokens(cells, side, side, newline, _seconds(frames, 1))


def encode_pooled(model: Any, prepare: PixelPreparation, frames: Frames) -> VisualTokens:
    """LLaVA-NeXT-Video: a fixed square per frame, patches pooled by the checkpoint's stride, no token in between.

    Pooling leaves out the patches that do not fill a whole stride (none for the published checkpoints). How many tokens
    there are is read from the features: transformers' processor counts them for a stride of 2 only.
    """
    vision = model.config.vision_config
    patches = vision.image_size // vision.patch_size
    side = patches // model.config.spatial_pool_stride
    features = model.model.get_video_features(_input(model, prepare(frames.pixels))[None]).pooler_output[0]
    cells = features.view(len(frames), side * side, -1)
    covered = side * model.config.spatial_pool_stride / patches
    return VisualTokens(cells, side, side, features[:0], _seconds(frames, 1), reach=(covered, covered))


def encode_images(model: Any, prepare: PixelPreparation, frames: Frames) -> VisualTokens:
    """InternVL: each frame is an image of its own in one square, neighbouring patches folded into one token."""
    vision, ratio = model.config.vision_config, model.config.downsample_ratio
    h, w = (int(size // patch * ratio) for size, patch in zip(vision.image_size, vision.patch_size, strict=True))
    features = model.model.get_image_features(_input(model, prepare(frames.pixels))).pooler_output
    return VisualTokens(features.view(len(frames), h * w, -1), h, w, features[0, :0], _seconds(frames, 1))


def encode_patches(model: Any, prepare: PixelPreparation, frames: Frames) -> VisualTokens:
    """Qwen-VL: the frame's own shape, pairs of frames fused into one slot, patches merged 2 x 2.

    A last frame without a partner is shown twice. Qwen3-VL's tower also gives the cells for DeepStack.
    """
    vision = model.config.vision_config
    patch, merge, fused = vision.patch_size, vision.spatial_merge_size, vision.temporal_patch_size
    cell = patch * merge
    h, w = grid_for(frames.pixels.shape[1] / cell, frames.pixels.shape[2] / cell, MAX_CELLS)
    lonely = -len(frames) % fused
    paired = np.concatenate([frames.pixels, frames.pixels[-1:].repeat(lonely, axis=0)])
    pixels = _input(model, prepare(paired, (h * cell, w * cell)))
    slots = len(pixels) // fused
    # [slot, frame in slot, channel, cell row, patch row in cell, pixel, cell column, patch column in cell, pixel]
    blocks = pixels.reshape(slots, fused, 3, h, merge, patch, w, merge, patch)
    patches = blocks.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(slots * h * w * merge * merge, -1)
    grid = torch.tensor([[slots, h * merge, w * merge]])
    found = model.model.get_video_features(patches, grid.to(patches.device))
    levels = getattr(found, "deepstack_features", None) or []
    features = found.pooler_output[0]
    return VisualTokens(
        features.view(slots, h * w, -1), h, w, features[:0], _seconds(frames, fused), grid,
        tuple(level[0].view(slots, h * w, -1) for level in levels),
    )  # fmt: skip


def grid_for(rows: float, columns: float, most: int) -> tuple[int, int]:
    """Whole cells ``(h, w)`` closest to a frame of ``rows x columns`` cells, scaled down to at most ``most``."""
    scale = min(1.0, math.sqrt(most / (rows * columns)))
    h, w = max(1, round(rows * scale)), max(1, round(columns * scale))
    while h * w > most and max(h, w) > 1:
        h, w = (h - 1, w) if h >= w else (h, w - 1)
    return h, w


def sequential_positions(model: Any, tokens: VisualTokens, is_cell: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Positions of everything before the question, ``[1, N]``, and the first position after it.

    Args:
        is_cell: ``[N]`` bool on the CPU: which of the tokens before the question are cells.
    """
    return torch.arange(len(is_cell))[None], len(is_cell)


def space_time_positions(model: Any, tokens: VisualTokens, is_cell: torch.Tensor) -> tuple[torch.Tensor, int]:
    """The same as ``[3, 1, N]`` (time, row, column), from the model's own rule (M-RoPE)."""
    # One token of the question is counted along, because the rule says where text goes on after a picture.
    kinds = torch.cat([is_cell.int() * 2, torch.zeros(1, dtype=torch.int)])[None]  # 2 is "video" for transformers
    gaps = np.diff(tokens.seconds)
    positions, _ = model.model.get_rope_index(
        torch.zeros_like(kinds, dtype=torch.long),
        mm_token_type_ids=kinds,
        video_grid_thw=tokens.grid_thw,
        second_per_grid_ts=torch.tensor([float(gaps.mean()) if len(gaps) else 1.0]),
    )
    return positions[..., :-1], int(positions[0, 0, -1])


def _input(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    return pixels.to(input_device(model), model.dtype)


def _seconds(frames: Frames, fused: int) -> tuple[float, ...]:
    lonely = -len(frames) % fused
    seconds = np.concatenate([frames.seconds, frames.seconds[-1:].repeat(lonely)]).reshape(-1, fused)
    return tuple(float(value) for value in (seconds[:, 0] + seconds[:, -1]) / 2)


def input_device(model: Any) -> torch.device:
    """Where inputs go and results come back: the input embeddings' device, of a model on several GPUs too."""
    embeddings = model.get_input_embeddings()
    # Weights that accelerate keeps elsewhere are on no device of their own; its hook knows where they run.
    device = getattr(getattr(embeddings, "_hf_hook", None), "execution_device", None)
    found = embeddings.weight.device if device is None else torch.device(device)
    assert isinstance(found, torch.device)
    return found
