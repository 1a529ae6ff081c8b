"""Which proposer do the settings ask for?"""

from __future__ import annotations

from stvg_core.proposals.base import Proposer
from stvg_core.proposals.embedded import EmbeddedProposer
from stvg_core.settings import GroundingSettings


def proposer_for(settings: GroundingSettings, *, device: str) -> Proposer:
    """The proposer that ``settings.proposer`` names, its models (if it has any) on ``device``."""
    return EmbeddedProposer()
