"""What differs between model families? One table; everything else is shared code.

A family is found by the ``model_type`` of a checkpoint's ``config.json``. To add one: an entry here, and a tiny
random-weight model of its class in ``tests/tiny_models.py``, which runs every session test on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stvg_core.errors import ModelError


@dataclass(frozen=True)
class Family:
    """How one model family lays out a video.

    Attributes:
        model_type: as in ``config.json``.
        model_class: name of the class in ``transformers``.
        grid: ``config -> (h, w)``, visual tokens per frame.
        video_token_id: ``config -> id`` of the placeholder that stands for the visual tokens.
        trailing_tokens: visual tokens after the last frame's grid (LLaVA's newline); they carry no learnable prompt
            and no attention is read from them.
        frames_per_slot: video frames fused into one slot of visual tokens.
    """

    model_type: str
    model_class: str
    grid: Callable[[Any], tuple[int, int]]
    video_token_id: Callable[[Any], int]
    trailing_tokens: int = 0
    frames_per_slot: int = 1


def _pooled_grid(config: Any) -> tuple[int, int]:
    side = math.ceil(config.vision_config.image_size // config.vision_config.patch_size / 2)
    return side, side


FAMILIES: dict[str, Family] = {
    family.model_type: family
    for family in (
        Family(
            model_type="llava_onevision",
            model_class="LlavaOnevisionForConditionalGeneration",
            grid=_pooled_grid,
            video_token_id=lambda config: int(config.video_token_id),
            trailing_tokens=1,
        ),
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
