"""The settings of the grounder on a tiny random model."""

from __future__ import annotations

from collections.abc import Callable

from stvg_core.pipeline import Grounder
from stvg_core.settings import GroundingSettings

MakeGrounder = Callable[..., Grounder]
SETTINGS = GroundingSettings(lra_rule="token_norm", lra_lr=0.05, decomposer="rules", lra_steps=0)
