"""How well do several annotators agree on the tasks that they share?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from stvg_core.metrics import viou
from stvg_core.tube import Tube


@dataclass
class Agreement:
    """Pairwise vIoU over tasks with tubes of at least two people; every task counts once, however many pairs it has.

    Parts that were switched off are taken as filled.
    """

    tasks: int = 0
    pairs: int = 0
    lowest: float = 1.0
    _total: float = 0.0

    def add(self, tubes: Sequence[Tube]) -> None:
        """The tubes of one task, one per person; fewer than two say nothing."""
        scores = [viou(a, b) for a, b in combinations(tubes, 2)]
        if not scores:
            return
        mean = sum(scores) / len(scores)
        self.tasks += 1
        self.pairs += len(scores)
        self.lowest = min(self.lowest, mean)
        self._total += mean

    @property
    def mean(self) -> float | None:
        """Mean over the tasks of their mean pairwise vIoU, None where no task has two people's tubes."""
        return self._total / self.tasks if self.tasks else None
