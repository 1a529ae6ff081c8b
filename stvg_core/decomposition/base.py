"""What a decomposer is: from a sentence to its two sub-queries."""

from __future__ import annotations

from typing import Protocol

from stvg_core.query import SubQueries


class Decomposer(Protocol):
    """Splits sentences; ``name`` is for the record."""

    name: str

    def decompose(self, sentence: str) -> SubQueries:
        """The attribute phrase and the action sentence of a normalised sentence (method, stage 2).

        Never fails: where it finds no split, both are the whole sentence and ``found`` is False.
        """
        ...
