"""Grounding token identification: which role token looks at the object? (paper, stage 4 and 5 of docs/method.md)"""

from __future__ import annotations

import torch


def relative_attention(rows: torch.Tensor, neutral: torch.Tensor, guard: float) -> torch.Tensor:
    """Divide each watched token's map by the same token's map for the neutral prompt; removes attention sinks.

    Args:
        rows: ``[R, T, h, w]`` for a question.
        neutral: ``[R', T, h, w]`` for the neutral prompt; tokens are matched from the end, R' >= R.
        guard: share of a neutral map's own mean added to the divisor.

    Returns:
        ``[R, T, h, w]``, dimensionless, around 1 where both prompts look equally.
    """
    divisor = neutral[len(neutral) - len(rows) :]
    scale = divisor.mean(dim=(1, 2, 3), keepdim=True).clamp(min=torch.finfo(divisor.dtype).tiny)
    return rows / (divisor + guard * scale)


def grounding_token(maps: torch.Tensor) -> int:
    """Index of the role token whose map has the highest maximum, ``[R, T, h, w]`` -> 0..R-1."""
    return int(maps.flatten(1).amax(dim=1).argmax())


def pick_map(
    rows: torch.Tensor, neutral: torch.Tensor, *, attention: str, guard: float, role_tokens: str
) -> tuple[torch.Tensor, int]:
    """The one map that a question gives: ``[T, h, w]`` and the index of its token from the end (-1 for the mean).

    The index counts backwards (1 is the last token), because questions have different numbers of watched tokens.
    """
    if len(neutral) < len(rows):
        # The neutral prompt ends in a full stop; a question that does not has fewer watched tokens, never more.
        rows = rows[len(rows) - len(neutral) :]
    maps = relative_attention(rows, neutral, guard) if attention == "relative" else rows
    if role_tokens == "mean":
        return maps.mean(dim=0), -1
    if role_tokens == "gti":
        index = grounding_token(maps)
    else:
        index = max(0, len(maps) - int(role_tokens.removeprefix("token-")))
    return maps[index], len(maps) - index
