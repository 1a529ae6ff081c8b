"""Draws the pictures of docs/method.md: one clip of the test split, stage by stage, with the embedded model.

.venv/bin/python docs/figures/method_figures.py
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from stvg_core.demo import MODEL_DIR
from stvg_core.demo.clips import split_scene
from stvg_core.demo.evaluate import scene_tracks
from stvg_core.demo.scenes import Scene, render
from stvg_core.method.evidence import Rows
from stvg_core.method.interval import interval
from stvg_core.method.look import look
from stvg_core.method.maps import Maps, assemble, grounding_token, maps, relative_attention
from stvg_core.method.tracks import cell_coverage, slot_scores
from stvg_core.mllm.session import Session
from stvg_core.pipeline import Grounder
from stvg_core.query import as_statement
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Array, Frames
from stvg_core.video import sample_indices

CLIP, DIFFICULTY = 12, "hard"
SHOWN = 7  # slots, around the action
OUT = Path(__file__).parents[1] / "images"
_PINK, _BLUE, _GREY = "#d81b60", "#1e6fb8", "#9aa4ae"


class Clip:
    """One scene in front of the model."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.grounder = Grounder.from_pretrained(MODEL_DIR, device="cpu")
        self.scene: Scene = split_scene("test", CLIP, difficulty=DIFFICULTY)
        self.slots = sample_indices(self.scene.n_frames, 20)
        self.pictures = render(self.scene, self.slots)
        self.session = Session(
            self.grounder.loaded, Frames(self.pictures, self.slots, self.slots / float(self.scene.fps))
        )
        self.query = as_statement(self.scene.query)
        self.parts = self.grounder.decomposer.decompose(self.scene.query)
        self.tracks = scene_tracks(self.scene)
        self.boxes = np.stack([track.at(self.slots) for track in self.tracks])
        start, end = (int(np.abs(self.slots - frame).argmin()) for frame in self.scene.truth)
        spread = np.linspace(max(start - 3, 0), min(end + 3, 19), SHOWN)
        self.shown = [int(slot) for slot in spread.round()]
        self.target = next(n for n, track in enumerate(self.tracks) if track.label == str(self.scene.target))

    def strip(self, figure: Any, grid: Any, heat: Array, name: str, *, times: bool = False) -> None:
        """Attention ``(T, h, w)`` over the shown slots, the target framed, one colour scale; ``times`` on top."""
        cells = grid.subgridspec(1, SHOWN + 1, wspace=0.03, width_ratios=(0.75, *[1] * SHOWN))
        title = figure.add_subplot(cells[0])
        title.axis("off")
        title.text(1.0, 0.5, name, ha="right", va="center", fontsize=8.5)
        top = max(float(heat.max()), 1e-9)
        height, width = self.pictures.shape[1:3]
        extent = (0, width, height, 0)
        for column, slot in enumerate(self.shown):
            axes = figure.add_subplot(cells[column + 1])
            axes.imshow((self.pictures[slot] * 0.75 + 40).astype(np.uint8), extent=extent)
            shade = np.clip(heat[slot] / top, 0, 1)
            axes.imshow(shade, extent=extent, cmap="hot", vmin=0, vmax=1, alpha=shade**0.5 * 0.8)
            x1, y1, x2, y2 = self.boxes[self.target, slot] * (width, height, width, height)
            axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor="#00e5ff", lw=1.6))
            axes.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))
            if times:
                frame = self.slots[slot]
                acts = self.scene.truth[0] <= frame <= self.scene.truth[1]
                axes.set_title(f"{frame / float(self.scene.fps):.1f} s" + (" acting" if acts else ""), fontsize=8)

    def frame_scores(self, heat: Array) -> Array:
        return slot_scores(heat, cell_coverage(self.boxes, *heat.shape[1:]))

    def look(self, settings: GroundingSettings) -> Rows:
        return look(self.session, self.query, self.parts, settings)

    def maps(self, settings: GroundingSettings) -> Maps:
        return maps(self.look(settings), settings)


def save(figure: Figure, name: str) -> None:
    figure.savefig(OUT / name, dpi=100, facecolor="white")


def role_tokens(clip: Clip) -> None:
    """Stage 3 to 5: every role token looks somewhere else; the neutral prompt's look is divided out."""
    settings = replace(clip.grounder.settings, lra_steps=0, tas=False)
    seen = clip.look(settings)
    relative = relative_attention(torch.from_numpy(seen.spatial), torch.from_numpy(seen.neutral), settings.guard)
    chosen = grounding_token(relative)
    tokenizer = clip.grounder.loaded.prompts.tokenizer
    ids = clip.grounder.loaded.prompts.suffix(clip.query)[-len(relative) :]
    names = [repr(tokenizer.convert_ids_to_tokens([token])[0])[1:-1] for token in ids]
    figure = Figure(figsize=(11, 0.86 * (len(relative) + 2) + 0.5), layout="constrained")
    figure.suptitle(f"“{clip.scene.query}”: relative attention of each role token", fontsize=11, x=0.01, ha="left")
    grid = figure.add_gridspec(len(relative) + 2, 1)
    clip.strip(figure, grid[0], seen.spatial[chosen], "raw,\nthe chosen token", times=True)
    neutral = seen.neutral[len(seen.neutral) - len(relative) :]
    clip.strip(figure, grid[1], neutral[chosen], "neutral prompt,\nthe same token")
    for row, one in enumerate(relative):
        mark = f"{names[row]}\nmax {float(one.max()):.0f}" + (", chosen by GTI" if row == chosen else "")
        clip.strip(figure, grid[row + 2], one.numpy(), mark)
    save(figure, "method-role-tokens.png")


def re_attention(clip: Clip) -> None:
    """Stage 6 and 7: both branches before and after one step of LRA."""
    settings = replace(clip.grounder.settings, lra_steps=0, tas=False)
    before, after = clip.maps(settings), clip.maps(replace(settings, lra_steps=1))
    figure = Figure(figsize=(11, 4.1), layout="constrained")
    figure.suptitle(
        "Logit-guided re-attention: one step on a learnable prompt per branch", fontsize=11, x=0.01, ha="left"
    )
    grid = figure.add_gridspec(4, 1)
    rows = (
        (before.spatial, "A_S, V = 0"), (after.spatial, "A_S with V_s"),
        (before.temporal, "A_T, V = 0"), (after.temporal, "A_T with V_t"),
    )  # fmt: skip
    for row, (heat, name) in enumerate(rows):
        clip.strip(figure, grid[row], heat, name, times=row == 0)
    save(figure, "method-re-attention.png")


def assembling(clip: Clip) -> None:
    """Stage 8: the reversed video, asked the paper's way and with the action turned, and the frame scores."""
    base = replace(clip.grounder.settings, lra_steps=0)
    turned = clip.look(base)
    paper = clip.maps(replace(base, tas_question="query", tas_temporal=False))
    ours = maps(turned, base)
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    figure.suptitle("Temporal-augmented assembling", fontsize=11, x=0.01, ha="left")
    grid = figure.add_gridspec(5, 1, height_ratios=(1, 1, 1, 1, 2))
    rows = (
        (ours.spatial_forward, "forward"), (paper.spatial_reversed, "reversed,\nsame words"),
        (ours.spatial_reversed, "reversed,\naction turned"), (ours.spatial, "assembled"),
    )  # fmt: skip
    for row, (heat, name) in enumerate(rows):
        clip.strip(figure, grid[row], heat, name, times=row == 0)
    axes = figure.add_subplot(grid[4])
    assert turned.backward is not None
    forward = maps(replace(turned, backward=None), base).temporal
    backward = np.flip(maps(turned.backward, base).temporal, 0).copy()
    joint = assemble(torch.from_numpy(forward), torch.from_numpy(backward), base.tas_operator).numpy()
    seconds = clip.slots / float(clip.scene.fps)
    for heat, name, colour, line in (
        (forward, "forward", _BLUE, "-"), (backward, "reversed, turned back", _GREY, "-"),
        (joint, "assembled", _PINK, "o-"),
    ):  # fmt: skip
        scores = clip.frame_scores(heat)[clip.target]
        axes.plot(seconds, scores / scores.max(), line, color=colour, label=name, lw=1.8, ms=4)
    start, end = (frame / float(clip.scene.fps) for frame in clip.scene.truth)
    axes.axvspan(start, end, color="#888888", alpha=0.15, lw=0, label="truth")
    first, last = interval(clip.frame_scores(joint)[clip.target], base)
    axes.axvspan(seconds[first], seconds[last], ymin=0, ymax=0.04, color=_PINK, lw=0, label="interval found")
    axes.set(xlabel="seconds", ylabel="frame score of the target\n(scaled to 1)", ylim=(0, 1.08))
    axes.legend(fontsize=8, frameon=False, ncols=5, loc="upper center", bbox_to_anchor=(0.5, 1.2))
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, "method-assembling.png")


if __name__ == "__main__":
    one = Clip()
    role_tokens(one)
    re_attention(one)
    assembling(one)
