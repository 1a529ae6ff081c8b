"""Other forms of the re-attention step, by experiment (:mod:`benchmarks.lra_variants` measures them)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Slope:
    """Of one question at V: its margin, the margin's gradient ``[T, h*w, D]``, and the norm of each token
    ``[T, h*w, 1]`` where V is added.
    """

    margin: float
    gradient: torch.Tensor
    norms: torch.Tensor


Step = Callable[[Slope], torch.Tensor]
"""What is added to V."""


@dataclass(frozen=True)
class Variant:
    """One form of the step.

    Attributes:
        step: how far, and where to.
        times: how many steps, each from a gradient of its own.
        layer: in front of which layer V is added; the paper's is 0.
        sentence: learn both prompts with the whole sentence as the question, not with its parts.
        below: only questions with a smaller margin learn; the others keep V = 0.
    """

    step: Step
    times: int = 1
    layer: int = 0
    sentence: bool = False
    below: float = float("inf")


def plain(lr: float, temperature: float = 1.0) -> Step:
    """The paper's step on L = -exp(margin / temperature)."""
    return lambda at: lr / temperature * math.exp(at.margin / temperature) * at.gradient


def token_norm(share: float) -> Step:
    """The token that moves most moves by a share of the mean token norm."""
    return lambda at: at.gradient * (share * at.norms.mean() / at.gradient.norm(dim=-1).max())


def each_token(share: float) -> Step:
    """Every token moves by the same share of its own norm."""
    return lambda at: share * at.norms * at.gradient / at.gradient.norm(dim=-1, keepdim=True).clamp(min=1e-30)


def square_root(share: float) -> Step:
    """Between the two: a token moves by the square root of its part of the largest gradient."""

    def step(at: Slope) -> torch.Tensor:
        norms = at.gradient.norm(dim=-1, keepdim=True).clamp(min=1e-30)
        moved: torch.Tensor = share * at.norms.mean() * at.gradient / (norms * norms.max()).sqrt()
        return moved

    return step


EXPERIMENTS: dict[str, dict[str, Variant]] = {
    "temperature": {f"plain step of 8, margin / {t}": Variant(plain(8.0, t)) for t in (1, 4, 8, 16)},
    "tokens": {
        "token_norm .03": Variant(token_norm(0.03)),
        "token_norm .1": Variant(token_norm(0.1)),
        "each token .003": Variant(each_token(0.003)),
        "each token .01": Variant(each_token(0.01)),
        "square root .03": Variant(square_root(0.03)),
    },
    "steps": {
        "2 steps of .015": Variant(token_norm(0.015), times=2),
        "3 steps of .03": Variant(token_norm(0.03), times=3),
    },
    "layers": {
        f"token_norm {share}, layer {layer}": Variant(token_norm(share), layer=layer)
        for layer in (2, 3)
        for share in (0.03, 0.1)
    },
    "low": {f"token_norm .1, margin below {below}": Variant(token_norm(0.1), below=below) for below in (2, 4, 6)},
    "sentence": {
        f"token_norm {share}, whole sentence": Variant(token_norm(share), sentence=True) for share in (0.03, 0.1)
    },
}
