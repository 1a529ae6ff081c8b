"""Two objects overlap and the brightest cell lies in both: which rule finds the right one, and do masks help?

    OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.ties
    OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.ties --clips 20 --sizes 1 --out ties.json

Rendered clips in which another object lies over the target (:mod:`benchmarks.overlapping`), the embedded model with its
own settings, the true tracks as candidates. S_obj is taken by boxes and by the true masks; of the tracks that share its
highest value, each rule chooses one. About four minutes for each size on one core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.overlapping import FIRST, OverlappingClip, overlapping_clips
from benchmarks.report import machine, row
from stvg_core.demo import MODEL_DIR
from stvg_core.method.look import look
from stvg_core.method.maps import maps
from stvg_core.method.tracks import covered_cells, excess, mask_shares, slot_scores, tied
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.mllm.session import Session
from stvg_core.settings import GroundingSettings, resolve
from stvg_core.tube import Array

Rule = Callable[[Array, Array], Array]
"""``(T, h, w)`` A_S and ``(P, T, h, w)`` coverage -> ``(P,)``, of which the highest wins."""
COVERAGES = ("fraction", "peak", "mask")
ANY = "any order"
"""What the order of the candidates gives on average: one of those that are tied, by chance."""
RESAMPLES = 2000


def _mean_inside(attention: Array, coverage: Array) -> Array:
    inside: Array = (attention * coverage).sum(axis=(1, 2, 3)) / coverage.sum(axis=(1, 2, 3)).clip(1e-9)
    return inside


def _mass(attention: Array, coverage: Array) -> Array:
    mass: Array = (attention * coverage).sum(axis=(1, 2, 3))
    return mass


def _mean_of_slots(attention: Array, coverage: Array) -> Array:
    means: Array = slot_scores(attention, coverage).mean(axis=1)
    return means


def _next_cells(attention: Array, coverage: Array) -> Array:
    return _by_the_next((attention * coverage).reshape(len(coverage), -1))


def _next_slots(attention: Array, coverage: Array) -> Array:
    return _by_the_next(slot_scores(attention, coverage))


def _by_the_next(values: Array) -> Array:
    """``(P, N)`` -> ``(P,)`` places: by the largest value, of equals by the second largest, and so on."""
    order = np.lexsort((-np.sort(-values, axis=1)).T[::-1])
    return np.argsort(order).astype(np.float64)


RULES: dict[str, Rule] = {
    "excess (default)": excess, "share of attention": _mass, "mean attention inside": _mean_inside,
    "mean of slot maxima": _mean_of_slots, "next-brightest slots": _next_slots, "next-brightest cells": _next_cells,
}  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """One clip under one coverage: how many tracks are tied, the share of right choices by rule."""

    tied: int
    right: dict[str, float]


def judge(clip: OverlappingClip, loaded: LoadedModel, settings: GroundingSettings) -> dict[str, Judged]:
    """By coverage."""
    session = Session(loaded, clip.frames)
    found = maps(look(session, clip.query, clip.parts, settings), settings)
    slots, (h, w) = clip.frames.indices, found.spatial.shape[1:]
    seen = session.view(np.stack([track.at(slots) for track in clip.tracks]))
    masks = mask_shares(clip.tracks, slots, session.view, h, w)
    judged = {}
    for name in COVERAGES:
        coverage = covered_cells(seen, masks, h, w, name)
        best = tied(slot_scores(found.spatial, coverage).max(axis=1))
        right = {ANY: float(best[clip.target] / best.sum())}
        for rule, of in RULES.items():
            right[rule] = float(np.where(best, of(found.spatial, coverage), -np.inf).argmax() == clip.target)
        judged[name] = Judged(int(best.sum()), right)
    return judged


def figures(judged: Sequence[Judged]) -> dict[str, Any]:
    """Of one coverage: tied clips, and by rule the share that is right, of all and of the tied ones, and the difference
    to any order over all clips with its 95 % interval (bootstrap over clips).
    """
    is_tied = np.array([one.tied > 1 for one in judged])
    right = {rule: np.array([one.right[rule] for one in judged]) for rule in (ANY, *RULES)}

    def of(rule: str) -> dict[str, Any]:
        return {
            "all": round(float(right[rule].mean()), 3),
            "tied": round(float(right[rule][is_tied].mean()), 3) if is_tied.any() else None,
            "gain": _with_interval(right[rule] - right[ANY]),
        }

    return {"clips": len(judged), "tied": int(is_tied.sum()), "rules": {rule: of(rule) for rule in right}}


def masks_against_boxes(judged: Sequence[dict[str, Judged]]) -> list[float]:
    """What masks gain over boxes under the default rule: mean over clips, and its 95 % interval."""
    rule = next(iter(RULES))
    return _with_interval(np.array([one["mask"].right[rule] - one["fraction"].right[rule] for one in judged]))


def _with_interval(gains: Array) -> list[float]:
    draws = np.random.default_rng(0).integers(0, len(gains), (RESAMPLES, len(gains)))
    low, high = np.quantile(gains[draws].mean(axis=1), (0.025, 0.975))
    return [round(float(value), 3) for value in (gains.mean(), low, high)]


def table(found: dict[str, Any]) -> list[str]:
    rows = [
        "| size | coverage | tied | rule | right, all | right, tied | gain, 95 % |",
        "|---|---|---|---|---|---|---|",
    ]
    for size, by_coverage in found["sizes"].items():
        for coverage, part in by_coverage.items():
            for rule, one in part["rules"].items():
                count, tied_right = f"{part['tied']} of {part['clips']}", "-" if one["tied"] is None else one["tied"]
                rows.append(row(size, coverage, count, rule, one["all"], tied_right, _gain(*one["gain"])))
    rows += ["", *(f"Masks against boxes, size {size}: {_gain(*gain)}" for size, gain in found["masks"].items())]
    return rows


def _gain(mean: float, low: float, high: float) -> str:
    return f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--first", type=int, default=FIRST, help="number of the first clip in the validation split")
    parser.add_argument("--sizes", type=float, nargs="+", default=[1.0, 1.7], help="factors on the size of all objects")
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    loaded, settings = load(MODEL_DIR, device="cpu"), resolve(MODEL_DIR, None)
    found: dict[str, Any] = {"machine": machine(), "first": args.first, "sizes": {}, "masks": {}}
    for size in args.sizes:
        clips = overlapping_clips(args.clips, args.frames, size=size, first=args.first)
        judged = [judge(clip, loaded, settings) for clip in tqdm(clips, total=args.clips, desc=f"size {size:g}")]
        found["sizes"][f"{size:g}"] = {name: figures([one[name] for one in judged]) for name in COVERAGES}
        found["masks"][f"{size:g}"] = masks_against_boxes(judged)
    if args.out:
        args.out.write_text(json.dumps(found) + "\n", encoding="utf-8")
    print("\n".join(table(found)))  # noqa: T201
    return found


if __name__ == "__main__":
    main()
