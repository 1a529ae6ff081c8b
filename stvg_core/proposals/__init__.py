"""Candidate objects of a video as tracks."""

from stvg_core.proposals.base import FixedTracks, Proposer
from stvg_core.proposals.cache import CachedProposer
from stvg_core.proposals.embedded_proposer import EmbeddedProposer
from stvg_core.proposals.proposer_choice import proposer_for

__all__ = ["CachedProposer", "EmbeddedProposer", "FixedTracks", "Proposer", "proposer_for"]
