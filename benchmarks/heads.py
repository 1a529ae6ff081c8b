"""Do a few attention heads find the interval better than all of them? On rendered clips, held out by clip.

    OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.heads --clips 100 --out heads.json

Each clip of the validation split is answered with the true tracks as candidates (``--proposed``: with the proposer's)
and looked at with every head apart; then heads are chosen as ``stvg calibrate --heads`` chooses them, with the truth in
the place of corrections. tIoU is of the first look's interval on the right track.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.report import machine, publish, row
from stvg_core.calibration.heads import ChosenHeads, HeadItem, choose_heads
from stvg_core.calibration.items import Item
from stvg_core.calibration.looking import HeadLooks
from stvg_core.calibration.rejoin import CannotRejoin
from stvg_core.demo import MODEL_DIR
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.demo.evaluate import scene_tracks, scene_truth
from stvg_core.demo.scenes import Scene
from stvg_core.pipeline import Grounder
from stvg_core.settings import GroundingSettings, resolve


def looked(
    grounder: Grounder, settings: GroundingSettings, scenes: Iterator[tuple[int, Scene]], folder: Path, proposed: bool
) -> Iterator[tuple[HeadItem | str, HeadLooks]]:
    """Clip by clip what each head sees, or why the clip is left out."""
    looks = HeadLooks(grounder, settings, folder)
    for number, scene in scenes:
        video = write_clip(folder / f"{number}.mp4", scene)
        found = grounder.ground(video, scene.query, tracks=None if proposed else scene_tracks(scene))
        parts = grounder.decomposer.decompose(scene.query)
        item = Item(str(number), str(number), found.evidence, (scene_truth(scene),))
        try:
            yield looks.look(item, video, scene.query, parts), looks
        except CannotRejoin as reason:
            yield f"{number}: {reason}", looks
        video.unlink()


def run(args: argparse.Namespace) -> tuple[ChosenHeads, list[str]]:
    settings = replace(resolve(args.model, None), second_look=False)
    grounder = Grounder.from_pretrained(args.model, device=args.device, settings=settings)
    numbers = range(args.first, args.first + args.clips)
    scenes = ((n, split_scene("validation", n, difficulty=args.difficulty)) for n in numbers)
    with tempfile.TemporaryDirectory() as folder:
        items, left_out, present = [], [], ()
        for one, looks in looked(grounder, settings, scenes, Path(folder), args.proposed):
            present = looks.present
            if isinstance(one, str):
                left_out.append(one)
            else:
                items.append(one)
            print(f"{len(items)} clips, {len(left_out)} left out", file=sys.stderr)  # noqa: T201
        return choose_heads(items, present, settings), left_out


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(MODEL_DIR))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--first", type=int, default=7000)
    parser.add_argument("--difficulty", default="medium")
    parser.add_argument("--proposed", action="store_true", help="The proposer's candidates, not the true tracks.")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    chosen, left_out = run(args)
    result = {"arguments": vars(args), "machine": machine(args.device), **chosen.to_json(), "left_out": left_out}
    heads = ", ".join(f"{name} (AUC {chosen.separation[name]:.3f})" for name in chosen.heads) or "the present ones"
    rows = [row("clips", "heads", "m_tIoU before", "after", "gain [95 %]", "verdict")]
    if chosen.before is not None and chosen.interval is not None:
        low, high = chosen.interval
        gain = f"{chosen.gain:+.3f} [{low:+.3f}, {high:+.3f}]"
        verdict = chosen.reason or "holds"
        rows.append(row(chosen.items, heads, f"{chosen.before:.3f}", f"{chosen.after:.3f}", gain, verdict))
    publish(result, rows, args.out)
    return result


if __name__ == "__main__":
    main()
