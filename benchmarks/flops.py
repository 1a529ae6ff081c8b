"""How many floating point operations does one grounding need? Counted from the sizes, not from what was run.

Only the method's own work counts: a multiplication and an addition are two operations, attention is causal, nothing is
recomputed, padding does not count, and frozen weights take no gradient, so a backward pass costs a matrix once and
attention twice what the forward pass does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True)
class LanguageModel:
    """Weights in the layers' ``matrices`` and in the LM ``head``; ``width`` is heads x head width of a layer."""

    layers: int
    matrices: int
    width: int
    head: int

    @classmethod
    def of(cls, model: Any) -> LanguageModel:
        text = model.config.get_text_config()
        width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        layers = model.model.language_model.layers
        return cls(len(layers), matrix_weights(layers), width * text.num_attention_heads, model.lm_head.weight.numel())

    def forward(self, tokens: int, before: int = 0) -> float:
        """``tokens`` new ones, each seeing ``before`` cached ones and its predecessors."""
        seen = tokens * before + tokens * (tokens + 1) / 2
        return 2 * self.matrices * tokens + 4 * self.layers * self.width * seen

    def backward(self, tokens: int, before: int = 0) -> float:
        """Gradients to the activations alone."""
        return 2 * self.forward(tokens, before) - 2 * self.matrices * tokens


def grounding(language: LanguageModel, prefix: int, asked: dict[str, int], *, tas: bool = True) -> float:
    """The language model's share of :func:`stvg_core.method.look.look` with one LRA step.

    Args:
        prefix: tokens before the question.
        asked: tokens of "spatial", "temporal", "neutral" and "query", role tokens included.
    """
    total = 0.0
    for learnt in [("spatial", "temporal"), ("spatial",)][: 1 + tas]:
        total += language.forward(prefix) + language.forward(asked["neutral"], prefix) + 2 * language.head
        for name in learnt:
            total += language.forward(asked[name], prefix) + 2 * language.head
            total += language.backward(asked[name], prefix) + language.backward(prefix) + 2 * language.head
            total += language.forward(prefix) + language.forward(asked["query"], prefix)
    return total


def vision(model: Any, slots: int, cells: int) -> float:
    """One pass of the vision tower and the projector over the video.

    Args:
        slots: of visual tokens; ``cells`` of each.
    """
    if hasattr(model.model, "vision_tower"):
        tower, sizes = model.model.vision_tower, model.config.vision_config
        patches = (sizes.image_size // sizes.patch_size) ** 2
        weights = matrix_weights(tower) + matrix_weights(model.model.multi_modal_projector)
        attention = 4 * sizes.num_hidden_layers * sizes.hidden_size * patches
        return slots * patches * (2 * weights + attention)
    tower, sizes = model.model.visual, model.config.vision_config
    merged = sizes.spatial_merge_size**2
    patches = cells * merged
    window = min((sizes.window_size // sizes.patch_size) ** 2, patches)
    full = len([layer for layer in sizes.fullatt_block_indexes if layer < sizes.depth])
    attention = 4 * sizes.hidden_size * (full * patches + (sizes.depth - full) * window)
    inner = matrix_weights(tower.patch_embed) + matrix_weights(tower.blocks)
    return slots * (patches * (2 * inner + attention) + cells * 2 * matrix_weights(tower.merger))


def matrix_weights(module: nn.Module) -> int:
    """Weights of all linear and patch-embedding layers inside, each used once per token."""
    matrices = (nn.Linear, nn.Conv2d, nn.Conv3d)
    return sum(part.weight.numel() for part in module.modules() if isinstance(part, matrices))
