"""What differs between model families? One table; everything else is shared code.

A family is found by the ``model_type`` of a checkpoint's ``config.json``. To add one: an entry here, and a tiny
random-weight model of its class in ``tests/tiny_models.py``, which runs every session test on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from stvg_core.errors import ModelError
from stvg_core.mllm.encoding import (
    VisualTokens,
    encode_images,
    encode_patches,
    encode_pooled,
    encode_square,
    sequential_positions,
    space_time_positions,
)
from stvg_core.mllm.pixels import PixelPreparation
from stvg_core.mllm.spelling import Spelling, numbered_images, plain, timestamps
from stvg_core.tube import Frames


@dataclass(frozen=True)
class Family:
    """How one model family sees a video.

    Attributes:
        model_type: as in ``config.json``.
        model_class: name of the class in ``transformers``.
        encode: ``(model, pixel preparation, frames) -> visual tokens``.
        positions: ``(model, visual tokens, which tokens before the question are cells) -> positions, next position``.
        spelling: ``(tokenizer, config) -> what is written around the slots``.
        frames_per_slot: video frames fused into one slot of visual tokens.
        layers: whose attention is averaged where the caller names none; None means all layers, as in the paper.
    """

    model_type: str
    model_class: str
    encode: Callable[[Any, PixelPreparation, Frames], VisualTokens]
    positions: Callable[[Any, VisualTokens, torch.Tensor], tuple[torch.Tensor, int]] = sequential_positions
    spelling: Callable[[Any, Any], Spelling] = plain
    frames_per_slot: int = 1
    layers: tuple[int, ...] | None = None


FAMILIES: dict[str, Family] = {
    family.model_type: family
    for family in (
        Family("llava_onevision", "LlavaOnevisionForConditionalGeneration", encode_square),
        Family("llava_next_video", "LlavaNextVideoForConditionalGeneration", encode_pooled),
        Family("internvl", "InternVLForConditionalGeneration", encode_images, spelling=numbered_images),
        Family("qwen2_vl", "Qwen2VLForConditionalGeneration", encode_patches, space_time_positions, plain, 2),
        Family("qwen2_5_vl", "Qwen2_5_VLForConditionalGeneration", encode_patches, space_time_positions, plain, 2),
        Family("qwen3_vl", "Qwen3VLForConditionalGeneration", encode_patches, space_time_positions, timestamps, 2),
    )
}


def family_of(model_type: str) -> Family:
    """The table's entry.

    Raises:
        ModelError: the family is not in the table.
    """
    if model_type not in FAMILIES:
        known = ", ".join(sorted(FAMILIES))
        raise ModelError(f"Models of type {model_type!r} are not supported. Supported: {known}.")
    return FAMILIES[model_type]
