"""How much of the learnable prompt V does half precision lose, and how much with V kept apart?

    OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.small_v --clips 8 --out small_v.json
    .venv/bin/python -m benchmarks.small_v --tiny                 # tiny random models of all six families, noise frames

For each question, V is a step along the gradient of log p_yes - log p_no whose longest token is a share of the mean
token norm (``lra_rule="token_norm"``). Compared is what V changes in half precision with what it changes in float32,
with the same (rounded) weights and visual tokens in both:

    entries lost    of V's entries, those that leave no trace in T_v + V rounded
    V lost          1 - <got, V> / |V|^2, got = rounded T_v + V minus T_v
    arrives         <d, d32> / |d32|^2 of the change d of all margins together (and of a query's rows: median)
    error           |d - d32| / |d32| likewise

in four ways: T_v + V rounded, rounded at random with a seed, V kept apart until the first layer is through (what a
session does), and a residual that stays in float32 through all layers.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.clips import validation_clips
from benchmarks.report import machine, publish, row
from stvg_core.demo import MODEL_DIR
from stvg_core.mllm.adding import added_at_the_first_layer
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.mllm.session import Prefix, Session
from stvg_core.tube import Array, Frames

SHARES = (0.03, 0.01, 0.003)
LAYERS = {"embedded": (3, 4)}
QUESTIONS = ["Is there the red circle in this video?", "Is there the star in this video?"]
QUERY = "the red circle moving left."
_BITS = {torch.bfloat16: 16, torch.float16: 13}
"""How many bits of a float32's fraction the precision does not have."""


def rounded(session: Session, v: torch.Tensor) -> Prefix:
    """T_v + V to the nearest number of the precision, as it was before."""
    return _shown(session, (session.visual + v).to(session.visual.dtype))


def rounded_at_random(session: Session, v: torch.Tensor) -> Prefix:
    """Up with the probability of the part that is cut off, so that the mean is T_v + V; for normal numbers."""
    bits = (session.visual.float() + v).view(torch.int32)
    steps = 1 << _BITS[session.visual.dtype]
    noise = torch.randint(0, steps, bits.shape, generator=torch.Generator().manual_seed(0), dtype=torch.int32)
    found = ((bits + noise) & -steps).view(torch.float32).to(session.visual.dtype)
    return _shown(session, torch.where(v == 0, session.visual, found))


def kept_apart(session: Session, v: torch.Tensor) -> Prefix:
    """What a session does."""
    return session.prefill(v)


def float32_residual(session: Session, v: torch.Tensor) -> Prefix:
    """V kept apart, and the residual rounded nowhere: only what the norms hand on is."""
    language_model = session.loaded.model.model.language_model
    everywhere = len(language_model.layers)
    with added_at_the_first_layer(language_model, session.in_line(v), through=everywhere):
        return session.prefill()


WAYS: dict[str, Callable[[Session, torch.Tensor], Prefix]] = {
    "rounded": rounded, "rounded at random": rounded_at_random, "kept apart": kept_apart,
    "float32 residual": float32_residual,
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """What V changes, in float32 and in half precision: the margin of its question, and a query's rows (flat)."""

    share: float
    way: str
    margin: tuple[float, float]
    rows: tuple[Array, Array]


@dataclass(frozen=True)
class Lost:
    """Of one V, at the rounding of T_v + V."""

    share: float
    entries: float
    v: float


def compare(
    half: LoadedModel, full: LoadedModel, frames: Frames, questions: list[str], query: str,
    layers: tuple[int, ...] | None = None,
) -> tuple[list[Lost], list[Change]]:  # fmt: skip
    """Every question, share and way on one video. ``full`` has the weights of ``half`` in float32."""
    session, exact = Session(half, frames), _in_float32(Session(half, frames), full)

    def seen(of: Session, prefix: Prefix) -> tuple[torch.Tensor, Array]:
        with torch.no_grad():
            said = of.ask(prefix, [*questions, query], rows=True, layers=layers)
        return said.yes_minus_no, said.rows[-1].flatten().numpy()

    zero, prefix = exact.origin(backwards=False, learnable=True)
    margins = exact.ask(prefix, questions).yes_minus_no
    unmoved = {way: seen(session, run(session, torch.zeros_like(zero))) for way, run in WAYS.items()}
    of_full, token_norm = seen(exact, exact.prefill()), exact.visual.norm(dim=-1).mean()
    lost, changes = [], []
    for n in range(len(questions)):
        (gradient,) = torch.autograd.grad(margins[n], zero, retain_graph=True)
        for share in SHARES:
            v = share * token_norm / gradient.norm(dim=-1).max() * gradient
            lost.append(_lost(session.visual, v, share))
            there = seen(exact, exact.prefill(v))
            for way, run in WAYS.items():
                here, before = seen(session, run(session, v)), unmoved[way]
                margin = float(there[0][n] - of_full[0][n]), float(here[0][n] - before[0][n])
                changes.append(Change(share, way, margin, (there[1] - of_full[1], here[1] - before[1])))
    return lost, changes


def summary(lost: list[Lost], changes: list[Change]) -> list[dict[str, Any]]:
    """One entry for each share and way."""
    found = []
    for share in SHARES:
        entries = np.mean([one.entries for one in lost if one.share == share])
        part = np.mean([one.v for one in lost if one.share == share])
        for way in WAYS:
            some = [one for one in changes if (one.share, one.way) == (share, way)]
            margins = _arrives(*np.array([one.margin for one in some], dtype=np.float64).T)
            rows = np.median([_arrives(*one.rows) for one in some], axis=0)
            found.append(
                {
                    "share": share, "way": way, "entries_lost": entries, "v_lost": part, "questions": len(some),
                    "margin": {"arrives": margins[0], "error": margins[1]},
                    "rows": {"arrives": float(rows[0]), "error": float(rows[1])},
                }
            )  # fmt: skip
    return found


def pair(model: str | Path, precision: str) -> tuple[LoadedModel, LoadedModel]:
    """A model in half precision, and the same rounded weights in float32."""
    half = load(model, device="cpu", precision=precision)
    return half, replace(half, model=copy.deepcopy(half.model).float())


def embedded(precision: str, clips: int) -> tuple[list[Lost], list[Change]]:
    half, full = pair(MODEL_DIR, precision)
    found = (
        compare(half, full, clip.frames, [clip.parts.spatial_question, clip.parts.temporal_question], clip.query,
                LAYERS["embedded"])
        for clip in validation_clips(clips, 20, warm_up=False)
    )  # fmt: skip
    return _joined(found)


def tiny(save: Callable[[Path], Path], precision: str, videos: int) -> tuple[list[Lost], list[Change]]:
    with tempfile.TemporaryDirectory() as folder:
        half, full = pair(save(Path(folder) / "model"), precision)
    return _joined(compare(half, full, noise(seed), QUESTIONS, QUERY) for seed in range(videos))


def noise(seed: int) -> Frames:
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 40, 60, 3), dtype=np.uint8)
    return Frames(pixels, np.arange(8), np.arange(8) / 10.0)


def _joined(found: Iterable[tuple[list[Lost], list[Change]]]) -> tuple[list[Lost], list[Change]]:
    lost, changes = zip(*found, strict=True)
    return [one for some in lost for one in some], [one for some in changes for one in some]


def _shown(session: Session, visual: torch.Tensor) -> Prefix:
    kept, session.visual = session.visual, visual
    try:
        return session.prefill()
    finally:
        session.visual = kept


def _in_float32(session: Session, full: LoadedModel) -> Session:
    """The same session on ``full``, with the very visual tokens that half precision sees."""
    session.loaded = full
    session.visual, session._trailing = session.visual.float(), session._trailing.float()
    session._texts = tuple(text.float() for text in session._texts)
    levels = tuple(level.float() for level in session._tokens.deepstack)
    session._tokens = replace(session._tokens, deepstack=levels)
    return session


def _lost(visual: torch.Tensor, v: torch.Tensor, share: float) -> Lost:
    got = (visual + v).to(visual.dtype).float() - visual.float()
    there = v != 0
    return Lost(
        share, float(((got == 0) & there).sum() / there.sum()), 1 - float((got * v).sum() / (v * v).sum())
    )  # fmt: skip


def _arrives(full: Array, half: Array) -> tuple[float, float]:
    square = float((full * full).sum())
    return float((half * full).sum()) / square, (float(((half - full) ** 2).sum()) / square) ** 0.5


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=8, help="of the embedded model, or noise videos per tiny model")
    parser.add_argument("--precisions", nargs="+", choices=("bfloat16", "float16"), default=["bfloat16", "float16"])
    parser.add_argument("--tiny", action="store_true", help="tiny random models instead of the embedded one")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    runs: dict[str, Callable[..., tuple[list[Lost], list[Change]]]] = {"embedded": embedded}
    if args.tiny:
        from tests.tiny_models import FAMILIES

        runs = {name: partial(tiny, save) for name, save in FAMILIES.items()}
    found = {
        (name, precision): summary(*run(precision, args.clips))
        for precision in args.precisions
        for name, run in runs.items()
    }  # fmt: skip
    rows = [
        row(
            name, precision, one["share"], f"{one['entries_lost']:.0%}", f"{one['v_lost']:.0%}", one["way"],
            *(f"{one[of]['arrives']:.2f}, {one[of]['error']:.2f}" for of in ("margin", "rows")),
        )
        for (name, precision), values in found.items()
        for one in values
    ]  # fmt: skip
    report = {f"{name} {precision}": values for (name, precision), values in found.items()}
    publish({"arguments": vars(args), "machine": machine(), "found": report}, rows, args.out)
    return report


if __name__ == "__main__":
    main()
