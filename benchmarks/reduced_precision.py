"""What does a reduced precision change? Scores in bfloat16 and float16 against float32.

    OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.reduced_precision --clips 40 --out precision.json

The embedded model on validation clips with the true tracks: in how many clips are the same track and the same interval
chosen, and how far are scores and maps apart? The whole network runs in the precision, vision tower included; the
learnable prompts and the attention rows are float32 in any case, as in the product.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import flows
from benchmarks.clips import Clip, validation_clips
from benchmarks.report import machine, publish, row, spread
from benchmarks.scores import Scores, difference
from stvg_core.demo import MODEL_DIR
from stvg_core.method.interval import interval
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.settings import GroundingSettings, resolve

REDUCED = ("bfloat16", "float16")
PAPER_LIKE: dict[str, Any] = {
    "lra_steps": 1, "lra_rule": "token_norm", "lra_lr": 0.01, "tas_operator": "mean", "tas_question": "query",
    "tas_temporal": False,
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What one precision says about one clip."""

    scores: Scores
    span: tuple[int, int]


def ground(loaded: LoadedModel, clip: Clip, settings: GroundingSettings) -> Found:
    _, looks = flows.ours(loaded, clip.frames, clip.query, clip.parts, settings)
    scores = Scores.of(looks, clip.boxes, settings)
    return Found(scores, interval(scores.s_frame, settings))


def compare(reduced: list[Found], full: list[Found]) -> dict[str, Any]:
    """Shares of clips that agree, and relative differences: median over clips and the largest.

    The maps are compared on all clips, and everything once more on those in which the same track is chosen and the maps
    are read from the same role tokens: another token's map is another map, however little separates the two tokens.
    """
    pairs = list(zip(reduced, full, strict=True))
    track = np.array([one.scores.chosen == other.scores.chosen for one, other in pairs])
    span = np.array([one.span == other.span for one, other in pairs])
    tokens = np.array([one.scores.tokens == other.scores.tokens for one, other in pairs])
    like = [pair for pair, same in zip(pairs, track & tokens, strict=True) if same]
    apart = [difference(one.scores, other.scores) for one, other in like]
    within = [max(abs(a - b) for a, b in zip(one.span, other.span, strict=True)) <= 1 for one, other in pairs]
    return {
        "same_role_tokens": float(tokens.mean()),
        "same_track": float(track.mean()),
        "same_track_and_interval": float((track & span).mean()),
        "same_track_and_ends_within_one_slot": float((track & np.array(within)).mean()),
        "maps_of_all_clips": spread((difference(one.scores, other.scores)["maps"] for one, other in pairs), 5),
        "relative_difference": {name: spread((one[name] for one in apart), 5) for name in apart[0]} if apart else {},
    }


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(MODEL_DIR))
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--precisions", nargs="+", choices=REDUCED, default=list(REDUCED))
    parser.add_argument("--no-tas", action="store_true", help="as the embedded model's preset has it")
    parser.add_argument("--lra", action="store_true", help="one LRA step and the paper's TAS, whatever the preset says")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    settings = replace(resolve(args.model, None), tas=not args.no_tas)
    if args.lra:
        settings = replace(settings, **PAPER_LIKE)
    models = {name: load(args.model, device="cpu", precision=name) for name in ("float32", *args.precisions)}
    found: dict[str, list[Found]] = {name: [] for name in models}
    for clip in validation_clips(args.clips, args.frames, warm_up=False):
        for name, model in models.items():
            found[name].append(ground(model, clip, settings))
    compared = {name: compare(found[name], found["float32"]) for name in args.precisions}
    rows = [
        row(
            name, f"{values['same_track']:.0%}", f"{values['same_track_and_interval']:.0%}",
            f"{values['same_track_and_ends_within_one_slot']:.0%}", f"{values['same_role_tokens']:.0%}",
            f"{values['maps_of_all_clips']['median']:.1%}, {values['maps_of_all_clips']['high']:.1%}",
            *(f"{each['median']:.1%}, {each['high']:.1%}" for each in values["relative_difference"].values()),
        )
        for name, values in compared.items()
    ]  # fmt: skip
    publish({"arguments": vars(args), "machine": machine(), "against_float32": compared}, rows, args.out)
    return compared


if __name__ == "__main__":
    main()
