"""Stage 1: the vision tower and projector learn what is in each cell, from single images."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import torch
from torch import nn
from transformers import LlavaOnevisionForConditionalGeneration

from stvg_core.demo.domain import USUAL, WIDE
from stvg_core.demo.recipe.architecture import CELLS
from stvg_core.demo.recipe.cells import CellTruth, cell_truth
from stvg_core.demo.recipe.heads import TrainingHeads
from stvg_core.demo.recipe.pixels import to_pixel_values, training_frames
from stvg_core.demo.scenes import Scene, sample_scene

MIX = (("easy", 0.15), ("medium", 0.4), ("hard", 0.45))
WIDE_SHARE = 0.5  # of the clips; the others are of the world that the splits have
FRAMES_PER_SCENE = 4  # a backdrop costs as much as the frames on it


def draw_scene(rng: np.random.Generator) -> Scene:
    """A training scene of any difficulty, from either world."""
    names, shares = zip(*MIX, strict=True)
    world = WIDE if rng.random() < WIDE_SHARE else USUAL
    return sample_scene(rng, difficulty=str(rng.choice(names, p=shares)), world=world)  # type: ignore[arg-type]


def visual_tokens(model: LlavaOnevisionForConditionalGeneration, pixels: torch.Tensor) -> torch.Tensor:
    """(B, T, 3, 96, 96) to (B, T * 36 + 1, width), the last being the model's newline token."""
    found: torch.Tensor = model.model.get_video_features(
        pixels, vision_feature_layer=-1, vision_feature_select_strategy="full"
    ).pooler_output
    return found


def as_tensors(truths: list[CellTruth]) -> dict[str, torch.Tensor]:
    """Stack clips' truths: every entry (B, T, 36, ...)."""
    return {f.name: torch.from_numpy(np.stack([getattr(t, f.name) for t in truths])) for f in fields(CellTruth)}


class VisionStage:
    """One step: a batch of single images and the look heads' loss on the projected, pooled tokens."""

    def __init__(self, images: int = 32) -> None:
        self.scenes = images // FRAMES_PER_SCENE

    def trainable(self, model: LlavaOnevisionForConditionalGeneration, heads: TrainingHeads) -> list[nn.Module]:
        return [model.model.vision_tower, model.model.multi_modal_projector, heads.look]

    def loss(
        self, model: LlavaOnevisionForConditionalGeneration, heads: TrainingHeads, rng: np.random.Generator
    ) -> tuple[torch.Tensor, dict[str, float]]:
        pictures, truths = [], []
        for _ in range(self.scenes):
            scene = draw_scene(rng)
            frames = rng.integers(0, scene.n_frames, FRAMES_PER_SCENE)
            pictures.append(training_frames(rng, scene, frames))
            truths.append(cell_truth(scene, frames))
        tokens = visual_tokens(model, to_pixel_values(np.stack(pictures)))[:, :-1]
        cells = torch.unflatten(tokens, 1, (FRAMES_PER_SCENE, CELLS))
        return heads.look.loss(cells, as_tensors(truths))
