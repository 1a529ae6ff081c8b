"""A sentence becomes an attribute phrase and an action sentence (paper, stage 2)."""

from stvg_core.decomposition.asking import AskingDecomposer, CachedDecomposer, Completion
from stvg_core.decomposition.base import Decomposer
from stvg_core.decomposition.decomposer_choice import DecomposerError, decomposer_for
from stvg_core.decomposition.rules import RuleDecomposer

__all__ = [
    "AskingDecomposer",
    "CachedDecomposer",
    "Completion",
    "Decomposer",
    "DecomposerError",
    "RuleDecomposer",
    "decomposer_for",
]
