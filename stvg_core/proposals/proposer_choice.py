"""Which proposer do the settings ask for?"""

from __future__ import annotations

from pathlib import Path

from stvg_core.proposals.base import Proposer
from stvg_core.proposals.cache import CachedProposer
from stvg_core.proposals.embedded_proposer import EmbeddedProposer
from stvg_core.settings import SeenSettings


def proposer_for(settings: SeenSettings, *, device: str, cache: Path | None = None) -> Proposer:
    """The proposer that ``settings.proposer`` names, its models (if it has any) on ``device``.

    Args:
        cache: folder in which proposals are kept; None keeps none.

    Raises:
        ModelError: ``settings.detector`` or ``settings.tracker`` is neither a model folder nor a hub id. Weights are
            loaded later, when the first video is searched.
    """
    proposer: Proposer
    if settings.proposer == "grounding_dino":
        # Imported here: nobody else needs the detector's classes.
        from stvg_core.proposals.grounded_proposer import GroundedProposer

        proposer = GroundedProposer(
            settings.detector, settings.tracker, device=device, every=settings.detect_every, tracking=settings.tracking
        )
    else:
        proposer = EmbeddedProposer()
    return proposer if cache is None else CachedProposer(proposer, cache)
