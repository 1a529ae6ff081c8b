"""What does the gradient to V keep, and what does computing it again cost, at 7B width and 3.9k tokens?

    OMP_NUM_THREADS=2 .venv/bin/python -m benchmarks.gradient_memory --layers 1 2 --out gradient_memory.json

LLaVA-OneVision-7B's language model with few layers and random bf16 weights sees 20 slots. For each depth: one learnable
prefill, the three questions of the first look on it, and the gradient of both sub-queries; as it is, and with norms and
feed-forward parts computed again. Kept bytes are those of the tensors that autograd saves, each storage once, weights
left out. They grow by the same amount with each layer, so a line through the depths gives the 28 layers of the whole
model, beside the calculated figure of ``stvg models``. Times are CPU seconds of the whole, in turn; the two gradients
are compared.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.report import between, machine, publish, ratios, row
from benchmarks.shapes import PARTS, SLOTS, build, random_frames
from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.memory import LanguageShape
from stvg_core.mllm.session import Session
from stvg_core.query import NEUTRAL_PROMPT
from stvg_core.tube import Frames

FAMILY = "llava_onevision"
DEPTH = 28
QUESTIONS = [PARTS.spatial_question, PARTS.temporal_question, NEUTRAL_PROMPT]
WAYS = {"as it is": False, "computed again": True}


class Kept:
    """Sums up what autograd saves."""

    def __init__(self, loaded: LoadedModel) -> None:
        self._weights = {weight.untyped_storage().data_ptr() for weight in loaded.model.parameters()}
        self._saved: dict[int, torch.Tensor] = {}

    def keep(self, value: torch.Tensor) -> torch.Tensor:
        place = value.untyped_storage().data_ptr()
        if place not in self._weights:
            self._saved[place] = value
        return value

    def bytes(self) -> int:
        return sum(value.untyped_storage().nbytes() for value in self._saved.values())


def look(loaded: LoadedModel, frames: Frames, *, recompute: bool) -> dict[str, Any]:
    """Bytes kept by the prefill and by the questions, CPU seconds, and the gradients."""
    session, kept = Session(replace(loaded, recompute=recompute), frames), Kept(loaded)
    began = time.process_time()
    with torch.autograd.graph.saved_tensors_hooks(kept.keep, lambda value: value):
        zero, prefix = session.origin(backwards=False, learnable=True)
        prefill = kept.bytes()
        margin = session.ask(prefix, QUESTIONS, rows=True).yes_minus_no
        both = kept.bytes()
    gradients = [torch.autograd.grad(margin[n], zero, retain_graph=True)[0] for n in range(2)]
    seconds = time.process_time() - began
    return {
        "tokens": prefix.length, "prefill": prefill, "questions": both - prefill, "seconds": seconds,
        "gradients": gradients,
    }  # fmt: skip


def at_depth(loaded: LoadedModel, frames: Frames, repeats: int) -> dict[str, Any]:
    """Both ways in turn; the difference of their gradients relative to the gradient."""
    taken: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for _ in range(repeats):
        for way, recompute in WAYS.items():
            taken[way].append(look(loaded, frames, recompute=recompute))
    one, other = (torch.cat([g.flatten() for g in taken[way][0].pop("gradients")]) for way in WAYS)
    seconds = {way: [run["seconds"] for run in runs] for way, runs in taken.items()}
    facts = {way: {name: runs[0][name] for name in ("tokens", "prefill", "questions")} for way, runs in taken.items()}
    return {
        "kept": facts, "seconds": seconds, "again_to_as_it_is": ratios(seconds["computed again"], seconds["as it is"]),
        "gradients_differ_by": float((one - other).norm() / one.norm()),
    }  # fmt: skip


def whole(depths: list[int], measured: dict[int, dict[str, Any]], way: str, part: str) -> float:
    """Bytes at full depth by the line through the depths."""
    values = [measured[depth]["kept"][way][part] for depth in depths]
    slope, intercept = np.polyfit(depths, values, 1)
    return float(intercept + slope * DEPTH)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="a small shape, to try the script")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(arguments)
    depths = sorted(set(args.layers))
    if len(depths) < 2:
        parser.error("a line needs two depths: --layers 1 2")
    frames = random_frames(FAMILY, tiny=args.tiny, slots=SLOTS)
    measured: dict[int, dict[str, Any]] = {}
    for depth in depths:
        loaded = build(
            FAMILY, device="cpu", dtype=torch.bfloat16, tiny=args.tiny, layers=depth, vocabulary=1024,
            tower="one thin layer",
        )  # fmt: skip
        measured[depth] = at_depth(loaded, frames, args.repeats)
        shape = replace(LanguageShape.of(loaded.model), layers=DEPTH)
        del loaded
    tokens = measured[depths[0]]["kept"]["as it is"]["tokens"]
    rows, gigabytes = [], {}
    for way, recompute in WAYS.items():
        parts = {part: whole(depths, measured, way, part) / 1e9 for part in ("prefill", "questions")}
        gigabytes[way] = parts | {"calculated": shape.kept(tokens, recompute=recompute) / 1e9}
        rows.append(
            row(
                way, tokens, f"{parts['prefill']:.2f} GB", f"{parts['questions']:.2f} GB",
                f"{sum(parts.values()):.2f} GB", f"{gigabytes[way]['calculated']:.2f} GB",
                "1" if not recompute else between(measured[depths[-1]]["again_to_as_it_is"]),
            )
        )  # fmt: skip
    report = {"arguments": vars(args), "machine": machine("cpu"), "measured": measured, "gigabytes": gigabytes}
    publish(report, rows, args.out)
    return report


if __name__ == "__main__":
    main()
