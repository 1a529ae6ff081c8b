"""From rows to maps: which role token looks at the object, where more than for any prompt, and both ways round?

Grounding token (paper, stage 4), relative attention (stage 5) and temporal-augmented assembling (stage 8). No model is
needed, so other choices here cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from stvg_core.method.evidence import Rows, finite
from stvg_core.settings import GtiRows, JoinedSettings
from stvg_core.tube import Array


@dataclass(frozen=True)
class Maps:
    """The maps that decide: ``(T, h, w)`` float32 each, forward order.

    Attributes:
        spatial: A_S, assembled with TAS.
        spatial_forward, spatial_reversed: before assembling (equal to ``spatial`` without TAS).
        temporal: A_T, assembled when the settings say so.
        consistency: S_cons, NaN without TAS.
        info: the grounding tokens chosen (counted from the end); log p_yes - log p_no before re-attention and after it,
            and the share of V that was used.
    """

    spatial: Array
    spatial_forward: Array
    spatial_reversed: Array
    temporal: Array
    consistency: float
    info: dict[str, Any]


def maps(rows: Rows, settings: JoinedSettings) -> Maps:
    """A_S and A_T from the rows of the watched tokens.

    Raises:
        NonFiniteError: NaN or infinite numbers in a map.
    """
    rows = rows.unpacked()
    info: dict[str, Any] = {}
    forward, temporal = _picked(rows, settings, info, "")
    if rows.backward is None:
        where, when = _numbers(forward), _numbers(temporal)
        return Maps(where, where, where, when, float("nan"), info)
    backward, temporal_backward = (one.flip(0) for one in _picked(rows.backward, settings, info, "_reversed"))
    if settings.tas_temporal:
        temporal = assemble(temporal, temporal_backward, settings.tas_operator)
    return Maps(
        spatial=_numbers(assemble(forward, backward, settings.tas_operator)),
        spatial_forward=_numbers(forward),
        spatial_reversed=_numbers(backward),
        temporal=_numbers(temporal),
        consistency=consistency(forward, backward),
        info=info,
    )


def _picked(
    seen: Rows, settings: JoinedSettings, info: dict[str, Any], suffix: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """The spatial and the temporal map of one direction, slots as shown."""
    info[f"yes_minus_no{suffix}"] = [round(value, 4) for value in seen.yes_minus_no.tolist()]
    if len(seen.v_share):
        info[f"yes_minus_no_after{suffix}"] = [round(value, 4) for value in seen.yes_minus_no_after.tolist()]
        info[f"v_share{suffix}"] = [None if np.isnan(share) else share for share in seen.v_share.tolist()]
    both = []
    branches = ("spatial", seen.spatial, seen.neutral), ("temporal", seen.temporal, seen.neutral_of_temporal)
    for name, rows, neutral in branches:
        one, info[f"{name}_token{suffix}"] = pick_map(
            torch.from_numpy(rows), torch.from_numpy(neutral), attention=settings.attention, guard=settings.guard,
            role_tokens=settings.role_tokens, gti_rows=settings.gti_rows,
        )  # fmt: skip
        both.append(one)
    return both[0], both[1]


def _numbers(one: torch.Tensor) -> Array:
    return finite(one.numpy())


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
    rows: torch.Tensor, neutral: torch.Tensor, *, attention: str, guard: float, role_tokens: str,
    gti_rows: GtiRows = "same",
) -> tuple[torch.Tensor, int]:  # fmt: skip
    """The one map that a question gives: ``[T, h, w]`` and the index of its token from the end (-1 for the mean).

    The index counts backwards (1 is the last token), because questions have different numbers of watched tokens.
    ``gti_rows`` says by which rows the token is chosen; its map is made of the rows that ``attention`` names.
    """
    if len(neutral) < len(rows):
        # The neutral prompt ends in a full stop; a question that does not has fewer watched tokens, never more.
        rows = rows[len(rows) - len(neutral) :]

    def seen(rows_of: str) -> torch.Tensor:
        return relative_attention(rows, neutral, guard) if rows_of == "relative" else rows

    maps = seen(attention)
    if role_tokens == "mean":
        return maps.mean(dim=0), -1
    if role_tokens == "gti":
        index = grounding_token(maps if gti_rows == "same" else seen(gti_rows))
    else:
        index = max(0, len(maps) - int(role_tokens.removeprefix("token-")))
    return maps[index], len(maps) - index


def assemble(forward: torch.Tensor, backward: torch.Tensor, operator: str) -> torch.Tensor:
    """One spatial map from the forward one and the reversed one (already turned back), both ``[T, h, w]``.

    The object's looks do not depend on the order of frames. Each map is scaled to sum 1 first, so that neither wins by
    its magnitude. The result is scaled to sum 1 too.
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
