"""The stages in order: what, how long, how fast."""

from __future__ import annotations

from stvg_core.demo.recipe.answering import QuestionStage
from stvg_core.demo.recipe.motion import MotionStage
from stvg_core.demo.recipe.runner import Stage
from stvg_core.demo.recipe.vision import VisionStage

SEED = 20250918


def build_stages(until: str | None = None) -> list[Stage]:
    """All stages, or those up to and including ``until``."""
    stages = [
        Stage("vision", VisionStage(), 1700, 4e-3),
        Stage("motion", MotionStage(), 2600, 4e-3),
        Stage("questions-short", QuestionStage(4, (6, 8), attention=0.5), 1500, 4e-3),
        Stage("questions-long", QuestionStage(2, (16, 18, 20)), 1100, 3e-3),
        Stage("questions-plain", QuestionStage(2, (20,), attention=0.0, dense=0.0), 200, 8e-4),
    ]
    names = [stage.name for stage in stages]
    return stages[: names.index(until) + 1] if until else stages
