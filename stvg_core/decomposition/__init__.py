"""A sentence becomes an attribute phrase and an action sentence (paper, stage 2)."""

from stvg_core.decomposition.base import Decomposer
from stvg_core.decomposition.choosing import decomposer_for
from stvg_core.decomposition.rules import RuleDecomposer

__all__ = ["Decomposer", "RuleDecomposer", "decomposer_for"]
