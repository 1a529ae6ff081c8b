"""Time, share of the GPU's matrix rate, memory and ratio on real 7B shapes with random weights.

    python -m benchmarks.gpu_7b --device cuda --out gpu_7b.json
    python -m benchmarks.gpu_7b --device cuda --memory-gb 24 --out card_24.json   # would a 24 GB card suffice?
    python -m benchmarks.gpu_7b --device cpu --tiny --dtype float32 --matrix 64   # tries the same code, in minutes

Needs torch, transformers as pyproject.toml bounds it (5.21 to 5.24), and what those bring: no Pillow, no video library,
no OpenCV. Only the parts "card", "out_of_memory" and "decode_ahead" run the whole product and need what it needs; where
that is not installed, they say that they were skipped.

For each family, at full depth: the whole grounding (vision tower, LRA, TAS, with one step per prompt) as the product
runs it, its operations counted from the sizes (:mod:`benchmarks.flops`) over its time and over the rate of a large bf16
matrix product measured in the same run, the peak of the memory, and what the attention rows take on top of SDPA. Then,
at a depth at which eager attention with a graph and all maps still fits (``--baseline-layers``; at 3.9k tokens a layer
keeps at least 2.6 GB), ours against the straight and the released flow, all at that depth. And with two layers in
float32 the straight flow's scores must equal ours, or the script fails.

Part by part at full depth (:mod:`benchmarks.gpu_parts`, :mod:`benchmarks.gpu_card`): the learnable prefill as it is and
recomputed; asking with groups of heads folded and copied; a look with and without LRA; prefills of several sentences as
a batch, at few and at many tokens; what precision auto takes; whether one and five sentences fit, and with how many
frames; that a smaller size is remembered after out of memory; decoding the next video ahead.

``--memory-gb`` limits what torch takes. A part that does not fit then says so, and the others go on; the whole
grounding and the baselines, which fail there, are left out. What the driver and other programs take of a real card, and
its speed, it does not show.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks import flops, flows, gpu_parts
from benchmarks.gpu_parts import timed
from benchmarks.memory import peak_bytes
from benchmarks.report import between, machine, publish, ratios, row, spread
from benchmarks.scores import Scores, must_agree
from benchmarks.shapes import PARTS, QUERY, SHAPES, SLOTS, build, random_boxes, random_frames
from benchmarks.unshared import Unshared, eager
from stvg_core.method.look import look
from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.session import Session
from stvg_core.query import NEUTRAL_PROMPT
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Frames

SETTINGS = GroundingSettings(lra_rule="token_norm", lra_lr=0.01, lra_guard=False)
"""The whole method, all layers, TAS; the step means the same at any width and with random weights."""


def matrix_rate(device: str, dtype: torch.dtype, size: int, repeats: int = 30) -> float:
    """Operations per second of a square matrix product on random numbers, the median of single products' rates."""
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    for _ in range(3):
        left @ right
    return float(2 * size**3 / spread((timed(lambda: left @ right, device) for _ in range(repeats)), 9)["median"])


def whole(loaded: LoadedModel, frames: Frames, args: argparse.Namespace) -> dict[str, Any]:
    """Time, operations and memory of one grounding at this depth."""

    def ground() -> None:
        flows.ours(loaded, frames, QUERY, PARTS, SETTINGS)

    def look_only() -> float:
        session = Session(loaded, frames)
        return timed(lambda: (look(session, QUERY, PARTS, SETTINGS), session.release()), args.device)

    for _ in range(args.warm_up):
        ground()
    seconds = spread(timed(ground, args.device) for _ in range(args.repeats))
    looks = spread(look_only() for _ in range(args.repeats))
    memory = peak_bytes(ground, args.device)
    session = Session(loaded, frames)
    prefix, rows = rows_bytes(session, args.device)
    slots, h, w = session.shape
    texts = {"spatial": PARTS.spatial_question, "temporal": PARTS.temporal_question}
    texts |= {"neutral": NEUTRAL_PROMPT, "query": QUERY}
    asked = {name: len(loaded.prompts.suffix(text)) for name, text in texts.items()}
    operations = flops.grounding(flops.LanguageModel.of(loaded.model), prefix, asked)
    tower = flops.vision(loaded.model, slots, h * w)
    return {
        "layers": loaded.n_layers,
        "visual_tokens": slots * h * w,
        "prefix_tokens": prefix,
        "grounding_s": seconds,
        "language_model_only_s": looks,
        "teraflop": {"language_model": operations / 1e12, "vision": tower / 1e12},
        "flop_per_s": {
            "grounding": (operations + tower) / seconds["median"],
            "language_model_only": operations / looks["median"],
        },
        "weights_gb": sum(p.numel() * p.element_size() for p in loaded.model.parameters()) / 1e9,
        "peak_above_weights_gb": memory / 1e9,
        "attention_rows_extra_mb": rows / 1e6,
    }


@torch.no_grad()
def rows_bytes(session: Session, device: str) -> tuple[int, int]:
    """Tokens before the question, and what the rows of the largest batch add to the peak of asking it."""
    prefix = session.prefill()
    questions = [PARTS.spatial_question, PARTS.temporal_question, NEUTRAL_PROMPT]
    plain = peak_bytes(lambda: session.ask(prefix, questions), device)
    return prefix.length, peak_bytes(lambda: session.ask(prefix, questions, rows=True), device) - plain


def against_baselines(loaded: LoadedModel, frames: Frames, args: argparse.Namespace) -> dict[str, Any]:
    """Ours, the straight and the released flow in turn."""
    seconds: dict[str, list[float]] = {"ours": [], "straight": [], "released": []}
    shape = Session(loaded, frames).shape

    def unshared(run: Callable[[Unshared], object]) -> Callable[[], object]:
        return lambda: run(Unshared(loaded, frames, shape))

    for number in range(-1, args.baseline_repeats):
        taken = {"ours": timed(lambda: flows.ours(loaded, frames, QUERY, PARTS, SETTINGS), args.device)}
        with eager(loaded.model):
            taken["straight"] = timed(unshared(lambda a: flows.straight(a, QUERY, PARTS, SETTINGS)), args.device)
            taken["released"] = timed(
                unshared(lambda a: flows.released(a, PARTS, SETTINGS, args.new_tokens)), args.device
            )
        if number >= 0:
            for way, value in taken.items():
                seconds[way].append(value)
    return {
        "layers": loaded.n_layers,
        "seconds": {way: spread(values) for way, values in seconds.items()},
        "ratio_to_ours": {way: ratios(seconds[way], seconds["ours"]) for way in ("straight", "released")},
    }


def equality(loaded: LoadedModel, frames: Frames) -> dict[str, float]:
    """Largest differences between the straight flow's scores and ours; raises where they are not the same."""
    session, looks = flows.ours(loaded, frames, QUERY, PARTS, SETTINGS)
    boxes = random_boxes(session.shape[0])
    with eager(loaded.model):
        other = flows.straight(Unshared(loaded, frames, session.shape), QUERY, PARTS, SETTINGS)
    return must_agree(Scores.of(other, boxes, SETTINGS), Scores.of(looks, boxes, SETTINGS))


def run_family(family: str, args: argparse.Namespace) -> dict[str, Any]:
    """All three parts; one model at a time is in memory."""
    frames = random_frames(family, tiny=args.tiny, slots=args.slots)
    dtype = getattr(torch, args.dtype)
    found: dict[str, Any] = {}

    def with_model(name: str, layers: int | None, precision: torch.dtype, part: Callable[[LoadedModel], Any]) -> None:
        loaded = build(
            family, device=args.device, dtype=precision, tiny=args.tiny, layers=layers, hidden=args.hidden,
        )  # fmt: skip
        found[name] = part(loaded)
        del loaded
        gc.collect()
        if torch.device(args.device).type == "cuda":
            torch.cuda.empty_cache()

    if "equality" in args.parts:
        with_model("equality_float32", 2, torch.float32, lambda loaded: equality(loaded, frames))
    if "whole" in args.parts:
        with_model("whole", args.layers, dtype, lambda loaded: whole(loaded, frames, args))
    wanted = [name for name in PARTS_OF_A_MODEL if name in args.parts]
    with_model("parts", args.layers, dtype, lambda loaded: one_by_one(loaded, family, frames, wanted, args))
    if args.baseline_repeats and "baselines" in args.parts:
        depth = min(args.baseline_layers, found["parts"]["layers"])
        with_model("baselines", depth, dtype, lambda loaded: against_baselines(loaded, frames, args))
    return found


PARTS_OF_A_MODEL = ("prefills", "asking", "lra", "batches", "card", "out_of_memory", "decode_ahead")
ALL_PARTS = ("equality", "whole", "baselines", *PARTS_OF_A_MODEL)
FIT_ANYWHERE = ("prefills", "asking", "lra", "batches", "card", "out_of_memory")
"""Parts that say where they do not fit."""


def one_by_one(
    loaded: LoadedModel, family: str, frames: Frames, wanted: list[str], args: argparse.Namespace
) -> dict[str, Any]:
    """The parts at full depth."""
    product = replace(SETTINGS, n_slots=args.slots, decomposer="rules", second_look=False)
    size, repeats = SHAPES[family].pixels(args.tiny), args.repeats

    def card(part: str) -> Any:
        try:
            from benchmarks import gpu_card
        except ImportError as error:
            return {"skipped": f"{error.name or error} is not installed"}
        if part == "decode_ahead":
            return gpu_card.decode_ahead(loaded, product, 3, args.seconds)
        return (gpu_card.suffices if part == "card" else gpu_card.remembered)(loaded, product, size)

    runs: dict[str, Callable[[], Any]] = {
        "prefills": lambda: gpu_parts.prefills(loaded, frames, args.device, repeats),
        "asking": lambda: gpu_parts.asking(loaded, frames, args.device, repeats),
        "lra": lambda: gpu_parts.re_attention(loaded, frames, SETTINGS, args.device, repeats),
        "batches": lambda: gpu_parts.batches(
            loaded, family, args.batch_slots, args.sentences, args.device, repeats, tiny=args.tiny
        ),
    }
    found: dict[str, Any] = {"layers": loaded.n_layers}
    for name in wanted:
        found[name] = runs[name]() if name in runs else card(name)
    return found


def verdict(found: dict[str, Any], limit: str) -> list[str]:
    """A sentence per family on whether the memory suffices."""
    lines = []
    for family, parts in found.items():
        for what, one in parts["parts"].get("card", {}).items():
            if what == "skipped":
                lines.append(f"{SHAPES[family].name}: skipped, {one}.")
                continue
            how = "with frames computed again" if one.get("recomputed") else "as it is"
            fits = f"fits with {one['slots']} slots, {how}" if "slots" in one else "does not fit"
            lines.append(f"{SHAPES[family].name}, {limit}, {what}: {fits}.")
    return lines


def table(found: dict[str, Any], rate: float, where: str) -> list[str]:
    """A Markdown row per family."""
    rows = []
    for family, parts in found.items():
        if "whole" not in parts:
            continue
        one, speed = parts["whole"], parts["whole"]["flop_per_s"]
        against = parts.get("baselines", {}).get("ratio_to_ours", {})
        rows.append(
            row(
                SHAPES[family].name, where, one["layers"], one["visual_tokens"],
                f"{one['grounding_s']['median']:.2f} s", f"{speed['grounding'] / rate:.0%}",
                f"{speed['language_model_only'] / rate:.0%}", f"{one['peak_above_weights_gb']:.1f} GB",
                f"{one['attention_rows_extra_mb']:.0f} MB", *(between(ratio, 1) for ratio in against.values()),
            )
        )  # fmt: skip
    return rows


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--families", nargs="+", choices=sorted(SHAPES), default=sorted(SHAPES))
    options.add_argument("--device", default="cuda")
    options.add_argument("--dtype", choices=["bfloat16", "float16", "float32"], default="bfloat16")
    options.add_argument("--tiny", action="store_true", help="a small shape of the same classes")
    options.add_argument("--layers", type=int, help="of the language model; the published number otherwise")
    options.add_argument("--hidden", type=int, help="width of the language model; the published one otherwise")
    options.add_argument("--slots", type=int, default=SLOTS)
    options.add_argument("--warm-up", type=int, default=2)
    options.add_argument("--repeats", type=int, default=7)
    options.add_argument("--baseline-layers", type=int, default=14)
    options.add_argument("--baseline-repeats", type=int, default=3, help="0 leaves the baselines out")
    options.add_argument("--new-tokens", type=int, default=flows.RELEASED_TOKENS)
    options.add_argument("--matrix", type=int, default=8192, help="side of the matrices of the rate")
    options.add_argument("--parts", nargs="+", choices=ALL_PARTS, help="all; with --memory-gb those that may not fit")
    options.add_argument("--memory-gb", type=float, help="at most so many GB (10⁹ bytes) of the GPU")
    options.add_argument("--batch-slots", type=int, nargs="+", default=[1, 2, 5, 10, 20])
    options.add_argument("--sentences", type=int, default=4, help="of a batch")
    options.add_argument("--seconds", type=float, default=10.0, help="length of the longest clip that is decoded ahead")
    options.add_argument("--out", type=Path)
    return options


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    args = parser().parse_args(arguments)
    args.parts = args.parts or (ALL_PARTS if args.memory_gb is None else FIT_ANYWHERE)
    rate = matrix_rate(args.device, getattr(torch, args.dtype), args.matrix)
    with gpu_parts.limited(args.device, args.memory_gb) as limit:
        found = {family: run_family(family, args) for family in args.families}
    facts = machine(args.device)
    shares = {
        family: {name: value / rate for name, value in parts["whole"]["flop_per_s"].items()}
        for family, parts in found.items()
        if "whole" in parts
    }
    report = {
        "arguments": vars(args), "machine": facts, "memory": limit, "matrix_teraflop_per_s": rate / 1e12,
        "precision_auto": gpu_parts.precision(args.device), "share_of_the_matrix_rate": shares, "families": found,
    }  # fmt: skip
    rows = table(found, rate, f"{facts.get('gpu', facts['processor'])}, {facts['date']}")
    publish(report, [*rows, *verdict(found, limit)], args.out)
    return report


if __name__ == "__main__":
    main()
