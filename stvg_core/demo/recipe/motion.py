"""Stage 2: the lower language-model layers learn what each object does, from short runs of frames."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from transformers import LlavaOnevisionForConditionalGeneration, PreTrainedTokenizerBase

from stvg_core.demo.recipe.architecture import CELLS
from stvg_core.demo.recipe.cells import cell_truth
from stvg_core.demo.recipe.forward import packed_forward
from stvg_core.demo.recipe.heads import TrainingHeads
from stvg_core.demo.recipe.pixels import to_pixel_values, training_frames
from stvg_core.demo.recipe.vision import as_tensors, draw_scene, visual_tokens
from stvg_core.demo.recipe.vocabulary import START, build_tokenizer
from stvg_core.demo.scenes import Scene

LOWER = 3  # layers; the dense heads read their output


def run_of_frames(rng: np.random.Generator, scene: Scene, count: int) -> np.ndarray:
    """``count`` neighbouring frames of a uniform sampling of the clip by about 20, chosen to meet the
    target's action.
    """
    total = max(int(rng.integers(16, 25)), count)
    grid = np.linspace(0, scene.n_frames - 1, total)
    start, end = scene.truth
    middle = np.searchsorted(grid, rng.uniform(start, end))
    first = int(np.clip(middle - rng.integers(0, count), 0, total - count))
    jitter = rng.uniform(-0.1, 0.1, count) * (grid[1] - grid[0])
    frames: np.ndarray = (grid[first : first + count] + jitter).round().clip(0, scene.n_frames - 1)
    return frames.astype(np.int64)


def opening_ids(tokenizer: PreTrainedTokenizerBase) -> torch.Tensor:
    """The tokens before the video."""
    return torch.tensor(tokenizer(f"{START}user ", add_special_tokens=False)["input_ids"])


def clip_prefix(
    model: LlavaOnevisionForConditionalGeneration, visual: torch.Tensor, opening: torch.Tensor
) -> torch.Tensor:
    """Embeddings of everything before the question: (B, 2 + visual tokens, width)."""
    words = model.model.language_model.embed_tokens(opening)
    return torch.cat([words.expand(len(visual), -1, -1), visual], dim=1)


class MotionStage:
    """One step: runs of frames through the lower layers, the motion heads on the visual tokens; the tower is
    frozen.
    """

    def __init__(self, clips: int = 4, frames: int = 8) -> None:
        self.clips, self.frames = clips, frames
        self.opening = opening_ids(build_tokenizer())

    def trainable(self, model: LlavaOnevisionForConditionalGeneration, heads: TrainingHeads) -> list[nn.Module]:
        return [*model.model.language_model.layers[:LOWER], heads.motion, heads.kept]

    def loss(
        self, model: LlavaOnevisionForConditionalGeneration, heads: TrainingHeads, rng: np.random.Generator
    ) -> tuple[torch.Tensor, dict[str, float]]:
        pictures, truths = [], []
        for _ in range(self.clips):
            scene = draw_scene(rng)
            frames = run_of_frames(rng, scene, self.frames)
            pictures.append(training_frames(rng, scene, frames))
            truths.append(cell_truth(scene, frames))
        with torch.no_grad():
            prefix = clip_prefix(model, visual_tokens(model, to_pixel_values(np.stack(pictures))), self.opening)
        states = packed_forward(model.model.language_model, prefix, layers=LOWER).prefix
        return dense_loss(states, len(self.opening), heads, as_tensors(truths))


def dense_loss(
    states: torch.Tensor, opening: int, heads: TrainingHeads, truth: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, dict[str, float]]:
    """Motion read from the prefix's states (B, P, width), and colour and shape, which must survive beside it."""
    tokens = torch.unflatten(states[:, opening:-1], 1, (-1, CELLS))
    moving, figures = heads.motion.loss(tokens, truth)
    kept, looks = heads.kept.loss(tokens, truth)
    return moving + 0.5 * kept, figures | {f"cell_{k}": looks[k] for k in ("colour", "shape")}
