"""How many prefills with different V go through the model as one batch?

A batch saves what does not depend on the number of tokens: starting each operation, and reading each weight. A prefill
of many tokens spends next to nothing on that, and its keys and values would only stand in the way. So a batch has at
most :data:`FULL` tokens, and where a prefill has more than half of that, each goes alone.

On a CPU the number is measured (docs/benchmarks.md). On a GPU it is reasoned, not measured: a weight in bf16 takes two
bytes to read and two operations per token, so the time to read it is hidden from about the GPU's operations per byte
of bandwidth on: 150 to 400 tokens on the GPUs of 2020 to 2024. Starting an operation from Python takes some ten
microseconds, which a model of 0.5 to 8 billion parameters hides from a few hundred up to 2,000 tokens on.
"""

from __future__ import annotations

from typing import Any

import torch

from stvg_core.mllm.memory import LanguageShape
from stvg_core.mllm.recompute import free_bytes

FULL = {"cpu": 256, "cuda": 2048}
"""Tokens in the largest batch, by the kind of device; on all others each prefill goes alone."""
MOST = 8
"""Prefills in the largest batch."""
GROUP = 4
"""Sentences that are looked at as a group, at most: the first answer waits for all, and each holds two V."""
SHARE = 0.5
"""Of the free memory, as the rest of the estimate is rough."""


class Together:
    """The answer for one loaded model. What did not fit is remembered."""

    def __init__(self) -> None:
        self._tokens: int | None = None

    def most(self, model: Any, device: torch.device, tokens: int) -> int:
        """How many prefills of so many tokens; 1 where a batch gains nothing or does not fit."""
        full = FULL.get(device.type, 0)
        most = min(MOST, (full if self._tokens is None else min(full, self._tokens)) // tokens)
        if most > 1 and device.type == "cuda":
            # The formula is for two bytes a number.
            each = LanguageShape.of(model).in_batch(tokens) * model.dtype.itemsize / 2
            most = min(most, int(SHARE * free_bytes(model) / each))
        return max(1, most)

    def shrink(self, batch: int, tokens: int) -> None:
        """From here on, at most a batch of so many prefills of so many tokens."""
        self._tokens = batch * tokens
