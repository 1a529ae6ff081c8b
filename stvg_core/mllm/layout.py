"""Where do the cells lie among the tokens before the question?"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class TokenLayout:
    """A row of text and cells in turns; the cells are what the method looks at.

    Attributes:
        is_cell: ``[N]`` bool, for every token before the question, on the CPU.
    """

    is_cell: torch.Tensor

    @classmethod
    def of(cls, texts: list[int], cells: int, trailing: int) -> TokenLayout:
        """From how many text tokens precede each slot, how many cells a slot has, and what follows the last one."""
        parts = [part for text in texts for part in (torch.zeros(text), torch.ones(cells))]
        return cls(torch.cat([*parts, torch.zeros(trailing)]).bool())

    @property
    def columns(self) -> torch.Tensor:
        """``[T*h*w]`` int64: the place of each cell, in the order slot, row, column."""
        return self.is_cell.nonzero()[:, 0]
