"""Clips of the embedded model's domain by other code: nothing of ``stvg_core.demo`` draws, moves or places anything.

The words are the same (colours, shapes, actions). Sizes, frame rates, lengths, backgrounds, colours in numbers, speeds,
rhythms and compression are not those that the model was trained on. Everything follows from a seed.
"""

from tests.other_renderer.files import write
from tests.other_renderer.scene import Scene, Thing, sample

SEEDS = {"validation": 52_000_000, "test": 71_000_000}
"""The first seed of each split; what is chosen is chosen on the first one alone."""


def scene_of(split: str, number: int) -> Scene:
    """Clip ``number`` of a split."""
    return sample(SEEDS[split] + number)


__all__ = ["SEEDS", "Scene", "Thing", "sample", "scene_of", "write"]
