"""How much faster is the session than the ways without sharing, on the same weights?

    OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.speed --clips 10 --out speed.json

All ways run in turn in one process on the same clips, on the embedded model; what counts is the ratio. Seconds are the
process's CPU time, on one thread the same as the clock's on a machine that does nothing else. ``straight``
computes the same formulas and its track and frame scores are held equal to ours (the script fails otherwise);
``released`` does the work of the published code, see :mod:`benchmarks.flows`. ``released, vision once`` leaves out the
repeated vision passes, so that what they weigh is seen.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks import flows
from benchmarks.clips import validation_clips
from benchmarks.report import between, machine, publish, ratios, row, spread
from benchmarks.scores import Scores, larger, must_agree
from benchmarks.unshared import Unshared, eager
from stvg_core.demo import MODEL_DIR
from stvg_core.method.evidence import Rows
from stvg_core.mllm.loading import load
from stvg_core.settings import GroundingSettings

# The whole method, TAS included, all layers, one step per learnable prompt.
SETTINGS = GroundingSettings(lra_rule="token_norm", lra_lr=0.01, lra_guard=False)


def measure(model: str, clips: int, n_frames: int, new_tokens: int) -> dict[str, Any]:
    """CPU seconds per clip and way, ratios to ours, and the largest differences of the straight way's scores."""
    loaded = load(model, device="cpu")
    seconds: dict[str, list[float]] = {}
    work: dict[str, dict[str, int]] = {}
    apart: dict[str, float] = {}
    for number, clip in enumerate(validation_clips(clips, n_frames, warm_up=True)):
        began = time.process_time()
        session, looks = flows.ours(loaded, clip.frames, clip.query, clip.parts, SETTINGS)
        taken = {"ours": time.process_time() - began}
        reference = Scores.of(looks, clip.boxes, SETTINGS)

        def timed(way: str, run: Callable[[Unshared], Rows], *, vision_once: bool = False) -> Rows:
            started = time.process_time()
            asker = Unshared(loaded, clip.frames, session.shape, vision_once=vision_once)  # noqa: B023
            found = run(asker)
            taken[way] = time.process_time() - started  # noqa: B023
            work[way] = {"prefills": asker.prefills, "decodes": asker.decodes, "backwards": asker.backwards}
            return found

        with eager(loaded.model):
            same = timed("straight", lambda asker: flows.straight(asker, clip.query, clip.parts, SETTINGS))  # noqa: B023
            for way, once in (("released", False), ("released, vision once", True)):
                timed(
                    way,
                    lambda asker: flows.released(asker, clip.parts, SETTINGS, new_tokens),  # noqa: B023
                    vision_once=once,
                )
        apart = larger(must_agree(Scores.of(same, clip.boxes, SETTINGS), reference), apart)
        if number:  # the first clip only warms up
            for way, value in taken.items():
                seconds.setdefault(way, []).append(value)
    return {
        "seconds": {way: spread(values) for way, values in seconds.items()},
        "ratio_to_ours": {way: ratios(values, seconds["ours"]) for way, values in seconds.items() if way != "ours"},
        "work": work,
        "largest_relative_difference_of_the_straight_way": apart,
    }


def table(found: dict[str, Any]) -> list[str]:
    """A Markdown row per way."""
    rows = []
    for way, ratio in found["ratio_to_ours"].items():
        done, apart = found["work"][way], found["largest_relative_difference_of_the_straight_way"]
        agreement = f"S_obj {apart['s_obj']:.0e}, S_frame {apart['s_frame']:.0e}"
        rows.append(
            row(
                way, f"{done['prefills']} / {done['backwards']} / {done['decodes']}",
                f"{found['seconds'][way]['median']:.2f} s", f"{found['seconds']['ours']['median']:.2f} s",
                between(ratio, 1),
                agreement if way == "straight" else "another method",
            )
        )  # fmt: skip
    return rows


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(MODEL_DIR))
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--new-tokens", type=int, default=flows.RELEASED_TOKENS, help="per prompt of the released flow")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    found = measure(args.model, args.clips, args.frames, args.new_tokens)
    report = {"arguments": vars(args), "machine": machine(), **found}
    publish(report, table(found), args.out)
    return report


if __name__ == "__main__":
    main()
