"""From sampled frames to visual tokens and their positions: the part in which families really differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from stvg_core.mllm.pixels import PixelPreparation
from stvg_core.tube import Frames

# Models whose input follows the frame could spend thousands of tokens on a slot; the paper's models spend 144 to 196.
MAX_CELLS = 196


@dataclass(frozen=True)
class VisualTokens:
    """One video's visual tokens, in slot order.

    Attributes:
        cells: ``[T, h*w, D]``.
        trailing: ``[K, D]`` tokens after the last slot that belong to no cell.
        h, w: the grid of a slot.
        grid_thw: ``[1, 3]`` patches per video for families with positions in space and time, else None.
        seconds_per_slot: mean distance of the slots in seconds.
    """

    cells: torch.Tensor
    trailing: torch.Tensor
    h: int
    w: int
    grid_thw: torch.Tensor | None = None
    seconds_per_slot: float = 1.0


def encode_pooled(model: Any, prepare: PixelPreparation, frames: Frames) -> VisualTokens:
    """LLaVA-OneVision: a fixed square per frame, patches pooled 2 x 2, one newline token at the end."""
    side = math.ceil(model.config.vision_config.image_size // model.config.vision_config.patch_size / 2)
    pixels = prepare(frames.pixels).to(model.device, model.dtype)
    features = model.model.get_video_features(pixels[None]).pooler_output[0]
    return VisualTokens(features[:-1].view(len(frames), side * side, -1), features[-1:], side, side)


def encode_patches(model: Any, prepare: PixelPreparation, frames: Frames) -> VisualTokens:
    """Qwen2-VL and Qwen2.5-VL: the frame's own shape, pairs of frames fused into one slot, patches merged 2 x 2."""
    vision = model.config.vision_config
    patch, merge, fused = vision.patch_size, vision.spatial_merge_size, vision.temporal_patch_size
    cell = patch * merge
    h, w = grid_for(frames.pixels.shape[1] / cell, frames.pixels.shape[2] / cell, MAX_CELLS)
    pixels = prepare(frames.pixels, (h * cell, w * cell)).to(model.device, model.dtype)
    slots = len(pixels) // fused
    # [slot, frame in slot, channel, cell row, patch row in cell, pixel, cell column, patch column in cell, pixel]
    blocks = pixels.reshape(slots, fused, 3, h, merge, patch, w, merge, patch)
    patches = blocks.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(slots * h * w * merge * merge, -1)
    grid = torch.tensor([[slots, h * merge, w * merge]], device=model.device)
    features = model.model.get_video_features(patches, grid).pooler_output[0]
    spread = float(frames.seconds[-1] - frames.seconds[0]) * fused / max(len(frames) - fused, 1)
    return VisualTokens(features.view(slots, h * w, -1), features[:0], h, w, grid, spread if slots > 1 else 1.0)


def grid_for(rows: float, columns: float, most: int) -> tuple[int, int]:
    """Whole cells ``(h, w)`` closest to a frame of ``rows x columns`` cells, scaled down to at most ``most``."""
    scale = min(1.0, math.sqrt(most / (rows * columns)))
    h, w = max(1, round(rows * scale)), max(1, round(columns * scale))
    while h * w > most and max(h, w) > 1:
        h, w = (h - 1, w) if h >= w else (h, w - 1)
    return h, w


def sequential_positions(model: Any, tokens: VisualTokens, head: int) -> tuple[torch.Tensor, int]:
    """Positions of everything before the question, ``[1, N]``, and the first position after it."""
    count = head + tokens.cells.shape[0] * tokens.cells.shape[1] + len(tokens.trailing)
    return torch.arange(count, device=tokens.cells.device)[None], count


def space_time_positions(model: Any, tokens: VisualTokens, head: int) -> tuple[torch.Tensor, int]:
    """The same as ``[3, 1, N]`` (time, row, column), from the model's own rule (M-RoPE)."""
    count = head + tokens.cells.shape[0] * tokens.cells.shape[1]
    kinds = torch.zeros(1, count, dtype=torch.int, device=tokens.cells.device)
    kinds[:, head:] = 2  # "video" in transformers' numbering
    positions, _ = model.model.get_rope_index(
        torch.zeros(1, count, dtype=torch.long, device=tokens.cells.device),
        mm_token_type_ids=kinds,
        video_grid_thw=tokens.grid_thw,
        second_per_grid_ts=torch.tensor([tokens.seconds_per_slot]),
    )
    # The rule lets text go on after the larger side of the grid, not after the last time step.
    return positions, head + max(tokens.h, tokens.w)
