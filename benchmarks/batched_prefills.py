"""What does it gain to look with several sentences at once: prefills as a batch, or only shared prefills at V = 0?

    OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.batched_prefills --out batched.json
    OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.batched_prefills --hidden 3584 --sentences 4 --ways prefills

A LLaVA-OneVision language model of few layers and random float32 weights sees 1, 5 and 20 slots of 196 cells; with
``--embedded`` it is the embedded model. Ways, each against one by one in the same process, in turn, CPU seconds:

- prefills: as many prefills with different V as there are sentences, as one batch;
- batch: whole looks with re-attention and TAS, the prefills at V = 0 kept; gradients of the two sub-queries and
  prefills with V in batches, in groups as in the product, but whatever the number of tokens;
- shared: the same without batches, where nothing is kept from sentence to sentence: a group shares its prefills at
  V = 0.

What is seen must be the same bits, or the script fails.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.report import between, machine, publish, ratios, row, spread
from benchmarks.shapes import PARTS, QUERY, build, random_frames
from stvg_core.demo import MODEL_DIR
from stvg_core.method.evidence import Rows
from stvg_core.method.look import Sentence, look_each
from stvg_core.mllm import together
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.mllm.session import Session
from stvg_core.mllm.together import GROUP, Together
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Frames

FAMILY = "llava_onevision"
SETTINGS = GroundingSettings(lra_rule="token_norm", lra_lr=0.01, lra_guard=False)
WAYS = ("prefills", "batch", "shared")
Seen = list[torch.Tensor]


def prefills(session: Session, count: int, size: int) -> Seen:
    """The last layer's values of each."""
    generator = torch.Generator().manual_seed(0)
    zero = session.zero_v()
    vs = [zero + 1e-2 * torch.randn(zero.shape, generator=generator).to(zero) for _ in range(count)]
    with torch.no_grad():
        found = [one for n in range(0, count, size) for one in session.prefill_each(vs[n : n + size])]
    return [one.keys_values[-1][1] for one in found]


def looks(session: Session, count: int, size: int, *, keep: bool) -> Seen:
    """Of so many sentences, in groups of at most ``size``."""
    sentences: list[Sentence] = [(f"{QUERY[:-1]} {'red ' * (n % 3)}.", PARTS) for n in range(count)]
    found: list[Rows] = []
    for n in range(0, count, size):
        found += look_each(session, sentences[n : n + size], SETTINGS, keep=keep)
    session.release()
    session.neutral.clear()
    return [torch.from_numpy(np.concatenate([one.spatial.ravel(), one.temporal.ravel()])) for one in found]


def pair(session: Session, way: str, count: int) -> tuple[Callable[[], Seen], Callable[[], Seen]]:
    """One by one, and together."""
    if way == "prefills":
        return lambda: prefills(session, count, 1), lambda: prefills(session, count, count)
    keep = way == "batch"
    return lambda: looks(session, count, 1, keep=keep), lambda: looks(session, count, GROUP, keep=keep)


def compared(session: Session, way: str, count: int, repeats: int) -> dict[str, Any]:
    """Seconds of both in turn, after one round to warm up where there are several."""
    together.FULL["cpu"] = 1 if way == "shared" else 10**9
    seconds: tuple[list[float], list[float]] = [], []
    for number in range(repeats + (repeats > 1)):
        seen = []
        for run, taken in zip(pair(session, way, count), seconds, strict=True):
            began = time.process_time()
            seen.append(run())
            if number or repeats == 1:
                taken.append(time.process_time() - began)
        for one, other in zip(*seen, strict=True):
            if not torch.equal(one, other):
                raise AssertionError(f"{way}: together is not what one by one is")
    alone, both = seconds
    return {"alone_s": spread(alone), "together_s": spread(both), "alone_over_together": ratios(alone, both)}


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", type=int, default=896, help="width; 896 is the 0.5B model's, 3584 the 7B model's")
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 5, 20])
    parser.add_argument("--sentences", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--recompute", action="store_true", help="norms and feed-forward parts computed again")
    parser.add_argument("--embedded", action="store_true", help="the embedded model, whole")
    parser.add_argument("--tiny", action="store_true", help="a small shape, to try the script")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    usual = together.FULL["cpu"]
    loaded = replace(model(args), recompute=args.recompute, together=Together())
    found: list[dict[str, Any]] = []
    try:
        for slots in args.slots:
            session = Session(loaded, frames_for(args, slots))
            tokens = session.prefill().length
            for way in args.ways:
                for count in args.sentences:
                    measured = compared(session, way, count, args.repeats)
                    found.append({"tokens": tokens, "way": way, "sentences": count} | measured)
    finally:
        together.FULL["cpu"] = usual
    name = "embedded" if args.embedded else f"{loaded.model.config.get_text_config().hidden_size} wide"
    rows = [
        row(
            name, one["way"], one["tokens"], one["sentences"], f"{one['alone_s']['median']:.2f} s",
            f"{one['together_s']['median']:.2f} s", between(one["alone_over_together"]),
        )
        for one in found
    ]  # fmt: skip
    publish({"arguments": vars(args), "machine": machine(), "measured": found}, rows, args.out)
    return {"measured": found}


def model(args: argparse.Namespace) -> LoadedModel:
    if args.embedded:
        return load(MODEL_DIR, device="cpu")
    return build(
        FAMILY, device="cpu", dtype=torch.float32, tiny=args.tiny, layers=args.layers, vocabulary=1024,
        hidden=None if args.tiny else args.hidden, tower="one thin layer",
    )  # fmt: skip


def frames_for(args: argparse.Namespace, slots: int) -> Frames:
    return random_frames(FAMILY, tiny=args.tiny or args.embedded, slots=slots)


if __name__ == "__main__":
    main()
