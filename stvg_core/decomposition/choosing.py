"""Which decomposer do the settings ask for?"""

from __future__ import annotations

from stvg_core.decomposition.base import Decomposer
from stvg_core.decomposition.rules import RuleDecomposer
from stvg_core.mllm.loading import LoadedModel
from stvg_core.settings import GroundingSettings


def decomposer_for(settings: GroundingSettings, loaded: LoadedModel) -> Decomposer:
    """The decomposer that ``settings.decomposer`` names."""
    return RuleDecomposer()
