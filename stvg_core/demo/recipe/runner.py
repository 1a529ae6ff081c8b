"""Runs the stages in order, in one or more processes, with checkpoints in a work folder so that a run can
resume.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from transformers import LlavaOnevisionForConditionalGeneration

from stvg_core.demo.recipe.architecture import build_model
from stvg_core.demo.recipe.heads import TrainingHeads
from stvg_core.demo.recipe.optimise import Optimiser

SAVE_EVERY_SECONDS = 90.0
LOG_EVERY = 25


class Objective(Protocol):
    """What a stage trains, and its loss on a batch that it draws itself."""

    def trainable(self, model: LlavaOnevisionForConditionalGeneration, heads: TrainingHeads) -> list[nn.Module]: ...

    def loss(
        self, model: LlavaOnevisionForConditionalGeneration, heads: TrainingHeads, rng: np.random.Generator
    ) -> tuple[torch.Tensor, dict[str, float]]: ...


@dataclass(frozen=True)
class Stage:
    """One stage of the training: what is trained, for how many steps, how fast at most."""

    name: str
    objective: Objective
    steps: int
    peak: float  # Muon's learning rate


def run_stages(stages: list[Stage], work: Path, seed: int, rank: int = 0) -> LlavaOnevisionForConditionalGeneration:
    """Train every stage that ``work`` does not hold as finished; rank 0 writes checkpoints and ``log.jsonl``."""
    work.mkdir(parents=True, exist_ok=True)
    model = build_model(seed)
    heads = TrainingHeads()
    for number, stage in enumerate(stages):
        finished = work / f"{stage.name}.pt"
        if finished.exists():
            state = torch.load(finished, weights_only=True)
            model.load_state_dict(state["model"])
            heads.load_state_dict(state["heads"])
            continue
        _run_stage(stage, number, model, heads, work, seed, rank)
    return model


def _run_stage(
    stage: Stage,
    number: int,
    model: LlavaOnevisionForConditionalGeneration,
    heads: TrainingHeads,
    work: Path,
    seed: int,
    rank: int,
) -> None:
    model.requires_grad_(False)
    modules = stage.objective.trainable(model, heads)
    for module in modules:
        module.requires_grad_(True)
    optimiser = Optimiser(modules, stage.peak, stage.steps)
    first, spent = 0, 0.0
    partial = work / f"{stage.name}.partial.pt"
    if partial.exists():
        state = torch.load(partial, weights_only=True)
        model.load_state_dict(state["model"])
        heads.load_state_dict(state["heads"])
        optimiser.load_state_dict(state["optimiser"])
        first, spent = state["step"], state["seconds"]
    began = saved = time.monotonic()
    sums: dict[str, list[float]] = {}
    for step in range(first, stage.steps):
        # A generator of its own for each stage, step and process: a resumed run draws what it would have drawn.
        rng = np.random.default_rng((seed, number, step, rank))
        loss, figures = stage.objective.loss(model, heads, rng)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = optimiser.step(step)
        for key, value in {"loss": loss.item(), "norm": norm, **figures}.items():
            if np.isfinite(value):
                sums.setdefault(key, []).append(value)
        if rank:
            continue
        now = time.monotonic()
        if (step + 1) % LOG_EVERY == 0 or step + 1 == stage.steps:
            line = {"stage": stage.name, "step": step + 1, "seconds": round(spent + now - began, 1)}
            line |= {k: round(float(np.mean(v)), 4) for k, v in sums.items()}
            sums.clear()
            with (work / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
        if now - saved > SAVE_EVERY_SECONDS:
            saved = now
            _save(partial, model, heads, optimiser, step + 1, spent + now - began)
    if rank == 0:
        _save(work / f"{stage.name}.pt", model, heads, None, stage.steps, spent + time.monotonic() - began)
        partial.unlink(missing_ok=True)
    if dist.is_available() and dist.is_initialized():
        dist.barrier()


def _save(
    path: Path, model: nn.Module, heads: nn.Module, optimiser: Optimiser | None, step: int, seconds: float
) -> None:
    """Write beside and rename, so that an interrupted write leaves the older checkpoint whole."""
    state = {"model": model.state_dict(), "heads": heads.state_dict(), "step": step, "seconds": seconds}
    if optimiser is not None:
        state["optimiser"] = optimiser.state_dict()
    torch.save(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").rename(path)
