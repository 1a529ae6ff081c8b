"""Candidate objects of a video as tracks."""

from stvg_core.proposals.base import FixedTracks, Proposer
from stvg_core.proposals.cache import CachedProposer
from stvg_core.proposals.choosing import proposer_for
from stvg_core.proposals.embedded import EmbeddedProposer

__all__ = ["CachedProposer", "EmbeddedProposer", "FixedTracks", "Proposer", "proposer_for"]
