"""What do several queries on one video cost together, and what one by one?

    OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.many_queries --clips 3 --out many.json

The same queries go once through ``Grounder.ground_many``, and once each through ``ground`` of a fresh Grounder that has
never seen the video. All share the loaded weights, so loading is not part of it. Both ways run in turn on the same
H.264 files, proposals and decoding included; their tubes are held equal (the script fails otherwise). Seconds are the
process's CPU time, all its threads together.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.report import between, machine, publish, ratios, row, spread
from benchmarks.scores import TOLERANCE
from stvg_core.demo import MODEL_DIR
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.demo.domain import PHRASINGS, Difficulty, describe
from stvg_core.demo.scenes import Scene
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.pipeline import Grounder
from stvg_core.settings import GroundingSettings, resolve
from stvg_core.tube import Grounding
from stvg_core.version import model_version

FIRST = 5200


def queries_for(scene: Scene, count: int) -> list[str]:
    """Different sentences about the scene's objects: every object once before any twice in other words."""
    said = [
        describe(item.colour, item.shape, item.action, phrasing)
        for phrasing in range(len(PHRASINGS))
        for item in scene.objects
        if item.action
    ]
    return list(dict.fromkeys(said))[:count]


def same(one: Grounding, other: Grounding) -> float:
    """The largest difference of the two answers' track scores, as a share of the largest.

    Raises:
        AssertionError: another tube, or scores that differ by more than the tolerance.
    """
    first, second = one.evidence.track_scores, other.evidence.track_scores
    apart = float(np.abs(first - second).max() / second.max()) if len(second) else 0.0
    tubes = one.tube, other.tube
    if tubes[0] is None or tubes[1] is None:
        equal = tubes[0] is tubes[1]
    else:
        equal = tubes[0].start_frame == tubes[1].start_frame and np.array_equal(tubes[0].boxes, tubes[1].boxes)
    if not equal or apart > TOLERANCE:
        raise AssertionError(f"{one.query!r}: together and alone give different answers (scores differ by {apart:.1e})")
    return apart


def scenes(clips: int, difficulty: Difficulty, most: int, seconds: float) -> Iterator[Scene]:
    """A first one to warm up, then ``clips`` with enough objects to talk about."""
    found, number = -1, 0
    while found < clips:
        scene = split_scene("validation", FIRST + number, difficulty=difficulty, max_seconds=seconds)
        number += 1
        if len(queries_for(scene, most)) == most:
            found += 1
            yield scene


def measure(
    loaded: LoadedModel, settings: GroundingSettings, version: str, chosen: list[Scene], counts: list[int]
) -> dict[str, Any]:
    """Seconds together and one by one for each number of queries; the first scene only warms up."""
    together: dict[int, list[float]] = {count: [] for count in counts}
    alone: dict[int, list[float]] = {count: [] for count in counts}
    apart = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for number, scene in enumerate(chosen):
            video = write_clip(Path(folder) / f"{number}.mp4", scene)
            if number == 0:
                Grounder(loaded, settings, version).ground(video, scene.query)
                continue
            for count in counts:
                queries = queries_for(scene, count)
                began = time.process_time()
                many = Grounder(loaded, settings, version).ground_many(video, queries)
                halfway = time.process_time()
                single = [Grounder(loaded, settings, version).ground(video, query) for query in queries]
                ended = time.process_time()
                apart = max([apart, *map(same, many, single)])
                together[count].append(halfway - began)
                alone[count].append(ended - halfway)
    return {
        "queries": {
            count: {
                "together_s": spread(together[count]),
                "alone_s": spread(alone[count]),
                "alone_over_together": ratios(alone[count], together[count]),
            }
            for count in counts
        },
        "largest_relative_difference_of_track_scores": apart,
    }


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(MODEL_DIR))
    parser.add_argument("--clips", type=int, default=3)
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--difficulty", choices=["easy", "medium", "hard"], default="hard")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the longest clips")
    parser.add_argument("--tas", action="store_true", help="with TAS, which the embedded model's preset leaves out")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    settings = resolve(args.model, None)
    settings = replace(settings, tas=True) if args.tas else settings
    loaded = load(args.model, device="cpu")
    chosen = list(scenes(args.clips, args.difficulty, max(args.counts), args.seconds))
    found = measure(loaded, settings, model_version(args.model, settings), chosen, sorted(args.counts))
    rows = [
        row(
            count, f"{times['together_s']['median']:.2f} s", f"{times['alone_s']['median']:.2f} s",
            between(times["alone_over_together"]), f"{times['together_s']['median'] / count:.2f} s",
        )
        for count, times in found["queries"].items()
    ]  # fmt: skip
    publish({"arguments": vars(args), "machine": machine(), **found}, rows, args.out)
    return found


if __name__ == "__main__":
    main()
