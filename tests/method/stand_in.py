"""A model that can be worked out with pencil and paper, in the place of a session.

What the model says to a question is written down in a table: log p_yes - log p_no at V = 0, its slope along V, and how
much each watched token looks at a cell whose visual token is 1. Visual tokens and V change both by simple formulas:

    log p_yes - log p_no = margin + sum(slope * V) - bend / 2 * sum(visual tokens * V * V)
    row of a token       = rows * |mean over D of (visual tokens + V)|, cell by cell, times the number of named layers
    row of head l.h      = the first part, moved by h cells to the right, times l + 1; the mean over the named heads

Like the real ones, both go by the order in which slots are shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from stvg_core.mllm.session import Answer
from stvg_core.tube import Array


@dataclass(frozen=True)
class Says:
    """The table's entry for a question.

    Attributes:
        margin: log p_yes - log p_no at V = 0.
        slope: ``(T, h*w, D)``, or what numpy makes one of.
        rows: ``(R, T, h, w)``: of the watched tokens at visual tokens of 1.
        bend: how soon a step along the slope is too long.
    """

    margin: float
    slope: Any
    rows: Array
    bend: float = 0.0


@dataclass(frozen=True)
class Shown:
    """A prefill: visual tokens in the order shown, with V, and V alone, ``[T, h*w, D]``."""

    tokens: torch.Tensor
    v: torch.Tensor

    @property
    def keys_values(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """What answers come from, in the place of a real prefill's states."""
        return [(self.tokens, self.v)]

    def without_graph(self) -> Shown:
        return Shown(self.tokens.detach(), self.v.detach())


class StandIn:
    """What :mod:`stvg_core.method.look` asks of a session.

    Args:
        cells: ``(T, h*w, D)`` visual tokens.
        grid: ``(h, w)``.
        table: question -> what is said to it.
        view: normalised boxes of the frame -> of what is seen of it.

    Attributes:
        log: each prefill and each batch of questions, in order.
        batch: how many prefills with V are better run as one batch.
        heads_apart: keep the named heads' rows apart in place of their mean, ``[heads, R, T, h, w]``.
    """

    def __init__(
        self, cells: Array, grid: tuple[int, int], table: Callable[[str], Says],
        view: Callable[[Array], Array] = lambda boxes: boxes,
    ) -> None:  # fmt: skip
        self.visual = torch.tensor(cells, dtype=torch.float64)
        self.shape = (len(cells), *grid)
        self.table, self.view = table, view
        self.neutral: dict[Any, torch.Tensor] = {}
        self.recompute, self.keeps = False, True
        self.batch = 1
        self.heads_apart = False
        self.log: list[Any] = []
        self._origins: dict[Any, Any] = {}

    def zero_v(self) -> torch.Tensor:
        return torch.zeros_like(self.visual)

    def origin(self, *, backwards: bool, learnable: bool) -> tuple[torch.Tensor, Shown]:
        key = (backwards, learnable)
        if key not in self._origins:
            zero = self.zero_v().requires_grad_(learnable)
            self._origins[key] = zero, self.prefill(zero, backwards=backwards)
        return self._origins[key]  # type: ignore[no-any-return]

    def release(self) -> None:
        self.log.append("release")
        self._origins.clear()

    def spare(self) -> None:
        self.recompute = True
        self.release()

    def prefill(self, v: torch.Tensor, *, backwards: bool = False) -> Shown:
        self.log.append("prefill backwards" if backwards else "prefill")
        return Shown((self.visual.flip(0) if backwards else self.visual) + v, v)

    def prefill_each(self, vs: list[torch.Tensor], *, backwards: bool = False) -> list[Shown]:
        if len(vs) > 1:
            self.log.append(f"{len(vs)} at once")
        return [self.prefill(v, backwards=backwards) for v in vs]

    def at_once(self) -> int:
        return self.batch

    def shrink(self, batch: int) -> None:
        self.batch = batch

    def ask(
        self, prefix: Shown, questions: list[str], *, rows: bool = False, layers: tuple[int, ...] | None = None,
        heads: tuple[str, ...] | None = None,
    ) -> Answer:  # fmt: skip
        self.log.append((*questions, layers) if rows else (*questions,))
        said = [self.table(question) for question in questions]
        shown, v = prefix.tokens - prefix.v, prefix.v
        margins = [
            one.margin + (torch.as_tensor(one.slope) * v).sum() - one.bend / 2 * (shown * v * v).sum() for one in said
        ]
        if not rows:
            return Answer(torch.stack(margins), [])
        looks = [torch.as_tensor(one.rows) * prefix.tokens.mean(dim=-1).abs().view(self.shape) for one in said]
        named = [tuple(map(int, name.split("."))) for name in heads or ()]
        of_heads = [
            torch.stack([one.roll(head, dims=-1) * (layer + 1) for layer, head in named]) for one in looks
        ] if named else []  # fmt: skip
        if not self.heads_apart:
            of_heads = [one.mean(dim=0) for one in of_heads]
        return Answer(torch.stack(margins), [one * (1 if layers is None else len(layers)) for one in looks], of_heads)


def rows(*tokens: Any) -> Array:
    """``(R, T, 1, w)`` float64: a list of slots, each a list of cells in one row, for each watched token."""
    return np.array(tokens, dtype=np.float64)[:, :, None, :]
