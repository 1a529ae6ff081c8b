"""Does another form of the re-attention step gain on clips with room? Small experiments on fixed lists of clips.

    OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.lra_variants --experiment temperature
    .venv/bin/python -m benchmarks.lra_variants --experiment sentence --split test --first 6000    # on held-out clips

Crowded clips (6 to 9 objects, most with a twin of the target) with the true tracks and the embedded model, forward
video, no second look, so that nothing hides what V does. Each variant's gain in m_vIoU is over "none" on the same
clips, with its 95 % interval (paired bootstrap); V_s alone, V_t alone and both. One prefill at V = 0 and one gradient
of each margin serve all variants of one step.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.lra_steps import EXPERIMENTS, Slope, Variant
from benchmarks.report import machine, publish, row
from benchmarks.scores import Scores
from stvg_core.decomposition.rules import decompose
from stvg_core.demo import MODEL_DIR
from stvg_core.demo.ablation.table import paired_gain
from stvg_core.demo.clips import split_scene
from stvg_core.demo.evaluate import scene_tracks, scene_truth
from stvg_core.demo.scenes import Scene, render
from stvg_core.method.evidence import Rows
from stvg_core.method.interval import cut, interval, slot_span_to_frames
from stvg_core.method.look import rows_of
from stvg_core.metrics import tiou, viou
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.mllm.session import Prefix, Session
from stvg_core.query import NEUTRAL_PROMPT, QUESTION, SubQueries, as_statement, without_final_mark
from stvg_core.settings import GroundingSettings, resolve
from stvg_core.tube import Array, Frames
from stvg_core.video import sample_indices

SLOTS = 20
BRANCHES = ("V_s", "V_t", "both")


@dataclass(frozen=True)
class Found:
    """One clip under one variant and choice of branches; ``raised`` is by how much V moves the margin, on average over
    the branches.
    """

    clip: int
    variant: str
    branches: str
    right: float
    tiou: float
    viou: float
    raised: float


class Looking:
    """One clip in front of the model."""

    def __init__(self, loaded: LoadedModel, scene: Scene, settings: GroundingSettings) -> None:
        indices = sample_indices(scene.n_frames, SLOTS)
        self.session = Session(loaded, Frames(render(scene, indices), indices, indices / float(scene.fps)))
        self._scene, self._slots, self._settings = scene, indices, settings
        self._tracks, self._truth = scene_tracks(scene), scene_truth(scene)
        self._boxes = np.stack([track.at(indices) for track in self._tracks])
        self._query = as_statement(scene.query)
        parts: SubQueries = decompose(scene.query, "phrase")
        self._of_parts = [parts.spatial_question, parts.temporal_question]
        self._of_sentence = [QUESTION.format(without_final_mark(scene.query))] * 2
        self._slopes: dict[tuple[str, int], Slope] = {}
        with torch.no_grad():
            said = self.session.ask(
                self.session.prefill(), [self._query, NEUTRAL_PROMPT], rows=True, layers=settings.layers
            )
        self._plain, self._neutral = said.rows

    def answers(self, clip: int, name: str, variant: Variant | None) -> Iterator[Found]:
        """V_s alone, V_t alone and both; "none" alone without a variant."""
        if variant is None:
            yield self._found(clip, name, "", self._plain, self._plain, [])
            return
        questions = self._of_sentence if variant.sentence else self._of_parts
        seen = {question: self.seen_with(variant, question) for question in dict.fromkeys(questions)}
        (spatial, raised_s), (temporal, raised_t) = (seen[question] for question in questions)
        yield self._found(clip, name, "V_s", spatial, self._plain, [raised_s])
        yield self._found(clip, name, "V_t", self._plain, temporal, [raised_t])
        yield self._found(clip, name, "both", spatial, temporal, [raised_s, raised_t])

    def seen_with(self, variant: Variant, question: str) -> tuple[torch.Tensor, float]:
        """The query's rows with the V that the question learns, and by how much that raises its margin."""
        key = (question, variant.layer)
        if key not in self._slopes:
            self._slopes[key] = self._slope(self.session.zero_v(), question, variant.layer)
        at = first = self._slopes[key]
        if first.margin >= variant.below:
            return self._plain, 0.0
        v = variant.step(at)
        for _ in range(variant.times - 1):
            v = v + variant.step(self._slope(v, question, variant.layer))
        with torch.no_grad():
            prefix = self._prefill(v, variant.layer)
            said = self.session.ask(prefix, [self._query, question], rows=True, layers=self._settings.layers)
        return said.rows[0], float(said.yes_minus_no[1]) - first.margin

    def _slope(self, v: torch.Tensor, question: str, layer: int) -> Slope:
        v = v.detach().requires_grad_(True)
        norms: list[torch.Tensor] = []
        margin = self.session.ask(self._prefill(v, layer, norms), [question]).yes_minus_no[0]
        (gradient,) = torch.autograd.grad(margin, v)
        return Slope(float(margin.detach()), gradient, norms[0])

    def _prefill(self, v: torch.Tensor, layer: int, norms: list[torch.Tensor] | None = None) -> Prefix:
        with torch.enable_grad(), _added(self.session, v, layer, [] if norms is None else norms):
            # A zero that asks for a gradient keeps the graph of the layers in front of V on.
            zero = self.session.zero_v().requires_grad_(v.requires_grad)
            return self.session.prefill(zero)

    def _found(
        self, clip: int, name: str, branches: str, spatial: torch.Tensor, temporal: torch.Tensor, raised: list[float]
    ) -> Found:
        rows: Rows = rows_of(spatial, temporal, self._neutral, torch.empty(0))
        scores = Scores.of(rows, self._boxes, self._settings)
        first, last = interval(scores.s_frame, self._settings)
        span = slot_span_to_frames(self._slots, first, last, 0, self._scene.n_frames - 1)
        tube = cut(self._tracks[scores.chosen], *span)
        right = float(self._tracks[scores.chosen].label == str(self._scene.target))
        mean = float(np.mean(raised)) if raised else 0.0
        return Found(clip, name, branches, right, tiou(tube, self._truth), viou(tube, self._truth), mean)


@contextmanager
def _added(session: Session, v: torch.Tensor, layer: int, norms: list[torch.Tensor]) -> Iterator[None]:
    """V in front of a layer; the norms of the cells there are noted."""

    def add(module: torch.nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden, *others = given
        cells = hidden.detach()[0].index_select(0, session._columns)
        norms.append(cells.norm(dim=-1, keepdim=True).view(*v.shape[:2], 1))
        return hidden + session.in_line(v), *others

    with session.loaded.model.model.language_model.layers[layer].register_forward_pre_hook(add):
        yield


def run(variants: dict[str, Variant], scenes: Iterator[tuple[int, Scene]]) -> Iterator[list[Found]]:
    """Clip by clip."""
    loaded = load(MODEL_DIR, device="cpu")
    settings = replace(resolve(MODEL_DIR, None), tas=False, second_look=False)
    for number, scene in scenes:
        looking = Looking(loaded, scene, settings)
        everything = {"none": None, **variants}.items()
        yield [one for name, variant in everything for one in looking.answers(number, name, variant)]


def table(found: list[Found]) -> list[dict[str, Any]]:
    """A line for each variant and choice of branches, "none" first."""
    lines = []
    none = _vious(found, "none", "")
    for name in dict.fromkeys(one.variant for one in found):
        for branches in [""] if name == "none" else BRANCHES:
            some = [one for one in found if (one.variant, one.branches) == (name, branches)]
            lines.append(
                {
                    "variant": name, "branches": branches, "clips": len(some),
                    "right": float(np.mean([one.right for one in some])),
                    "m_tiou": float(np.mean([one.tiou for one in some])),
                    "m_viou": float(np.mean([one.viou for one in some])),
                    "raised": float(np.median([one.raised for one in some])),
                    "gain": paired_gain(_vious(found, name, branches), none),
                }
            )  # fmt: skip
    return lines


def _vious(found: list[Found], variant: str, branches: str) -> Array:
    some = {one.clip: one.viou for one in found if (one.variant, one.branches) == (variant, branches)}
    return np.array([some[clip] for clip in sorted(some)])


def main(arguments: list[str] | None = None) -> list[dict[str, Any]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", choices=EXPERIMENTS, nargs="+", default=list(EXPERIMENTS))
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--first", type=int, default=6000)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    numbers = range(args.first, args.first + args.clips)
    variants = {name: variant for one in args.experiment for name, variant in EXPERIMENTS[one].items()}
    found: list[Found] = []
    try:
        for clip in run(variants, ((n, split_scene(args.split, n, difficulty="crowded")) for n in numbers)):
            found += clip
    except KeyboardInterrupt:
        print(f"Ended after {len({one.clip for one in found})} clips.", file=sys.stderr)  # noqa: T201
    lines = table(found)
    rows = [
        row(
            line["variant"], line["branches"], f"{line['right']:.3f}", f"{line['m_tiou']:.3f}",
            f"{line['m_viou']:.3f}", f"{line['raised']:+.2f}", "{:+.3f} [{:+.3f}, {:+.3f}]".format(*line["gain"]),
        )
        for line in lines
    ]  # fmt: skip
    publish({"arguments": vars(args), "machine": machine(), "lines": lines}, rows, args.out)
    return lines


if __name__ == "__main__":
    main()
