"""Temporal-augmented assembling: the object's looks do not depend on the order of frames (paper, stage 8)."""

from __future__ import annotations

import torch


def assemble(forward: torch.Tensor, backward: torch.Tensor, operator: str) -> torch.Tensor:
    """One spatial map from the forward one and the reversed one (already turned back), both ``[T, h, w]``.

    Each is scaled to sum 1 first, so that neither wins by its magnitude. The result is scaled to sum 1 too.
    """
    one, other = _distribution(forward), _distribution(backward)
    if operator == "mean":
        joined = (one + other) / 2
    elif operator == "max":
        joined = torch.maximum(one, other)
    elif operator == "product":
        joined = (one * other).sqrt()
    elif operator == "forward":
        joined = one
    else:
        raise ValueError(f"unknown TAS operator {operator!r}; use mean, max, product or forward")
    return _distribution(joined)


def consistency(forward: torch.Tensor, backward: torch.Tensor) -> float:
    """S_cons: cosine between two maps ``[T, h, w]``, in [0, 1]; how far the spatial answer can be trusted."""
    return float(torch.nn.functional.cosine_similarity(forward.flatten(), backward.flatten(), dim=0))


def _distribution(values: torch.Tensor) -> torch.Tensor:
    return values / values.sum().clamp(min=torch.finfo(values.dtype).tiny)
