"""Muon for the hidden matrices, AdamW for everything else, one schedule, gradients averaged over processes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from stvg_core.demo.recipe.muon import Muon


class Optimiser:
    """Both optimisers as one. ``peak`` is Muon's learning rate; AdamW runs at ``adam_share`` of it."""

    def __init__(self, modules: Iterable[nn.Module], peak: float, steps: int, adam_share: float = 0.7) -> None:
        modules = list(modules)
        named = [(n, p) for m in modules for n, p in m.named_parameters(type(m).__name__) if p.requires_grad]
        self.parameters = [p for _, p in named]
        # Embeddings and read-outs (also a bare linear layer) are tables over classes, not maps between hidden
        # states: AdamW's.
        outer = ("embed", "Linear.", "Heads.")
        hidden = [p for n, p in named if p.ndim == 2 and not any(word in n for word in outer)]
        taken = {id(p) for p in hidden}
        rest = [p for p in self.parameters if id(p) not in taken]
        self.parts: list[tuple[torch.optim.Optimizer, float]] = []
        if hidden:
            self.parts.append((Muon(hidden, lr=peak), peak))
        if rest:
            adam = torch.optim.AdamW(rest, lr=peak * adam_share, weight_decay=0.0, betas=(0.9, 0.98))
            self.parts.append((adam, peak * adam_share))
        self.steps = steps

    def step(self, number: int) -> float:
        """Average, clip, update, clear; returns the gradient's norm before clipping."""
        average_gradients(self.parameters)
        norm = nn.utils.clip_grad_norm_(self.parameters, 1.0)
        if not torch.isfinite(norm):  # a single bad batch must not end an unattended run
            for parameter in self.parameters:
                parameter.grad = None
            return float("nan")
        for optimiser, peak in self.parts:
            for group in optimiser.param_groups:
                group["lr"] = peak * schedule(number, self.steps)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        return float(norm)

    def state_dict(self) -> list[dict[str, Any]]:
        return [part.state_dict() for part, _ in self.parts]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        for (part, _), state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)


def schedule(number: int, steps: int, warm_up: int = 40) -> float:
    """Linear warm-up, then a cosine down to a twentieth."""
    if number < warm_up:
        return (number + 1) / warm_up
    done = (number - warm_up) / max(steps - warm_up, 1)
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def average_gradients(parameters: list[nn.Parameter]) -> None:
    """Sum over processes and divide, as one flat message; a parameter unused in a process counts as zero
    there.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    flat = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    start = 0
    for parameter in parameters:
        assert parameter.grad is not None
        parameter.grad.copy_(flat[start : start + parameter.numel()].view_as(parameter))
        start += parameter.numel()
