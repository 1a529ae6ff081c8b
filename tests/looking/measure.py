"""How near do locators that use words come to the best answer that the candidates allow, with a model that looks?

    python -m tests.looking.measure --clips 24 speak marks pick

Rendered clips (validation split, easy) with one object of the target's colour: the stand-in tells things of one colour
apart only while they do not touch. Candidates are the embedded proposer's. The bound is the best candidate between the
true ends; "first round" is without the second look.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from backend.language import PictureChat
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.demo.evaluate import scene_truth
from stvg_core.demo.scenes import Scene
from stvg_core.method.interval import cut
from stvg_core.metrics import tiou, viou
from stvg_core.pipeline import Grounder
from stvg_core.proposals.embedded_proposer import EmbeddedProposer
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Track, Tube
from stvg_core.video import VideoReader
from tests.looking.server import MODEL, looking

ACTIONS = ("moving left", "moving right", "moving up", "moving down", "growing", "shrinking")
"""Blinking and shaking cannot be seen in two pictures per second."""


@dataclass(frozen=True)
class Row:
    """One clip: vIoU and tIoU of the answer, and the bound's vIoU."""

    viou: float
    tiou: float
    bound: float


def scenes(count: int, **choices: object) -> Iterator[Scene]:
    """The first so many that qualify, the actions in turn."""
    found, number = 0, 500
    while found < count:
        action = ACTIONS[found % len(ACTIONS)]
        scene = split_scene("validation", number, difficulty="easy", action=action, max_seconds=12.0, **choices)
        number += 1
        colour = scene.objects[scene.target].colour
        if sum(one.colour == colour for one in scene.objects) == 1:
            found += 1
            yield scene


def settings_for(locator: str, **changes: object) -> GroundingSettings:
    """As the service has them with STVG_LOCATOR and STVG_LLM_MODEL; sentences are split by rules."""
    made = GroundingSettings(locator_model=MODEL, second_look=True, decomposer="rules")
    return replace(made, locator=locator, **changes)  # type: ignore[arg-type]


def measured(grounder: Grounder, scene: Scene, video: Path, tracks: list[Track]) -> Row:
    truth = scene_truth(scene)
    bound = max((viou(cut(track, truth.start_frame, truth.end_frame), truth) for track in tracks), default=0.0)
    tube: Tube | None = grounder.ground(video, scene.query, tracks=tracks).tube
    return Row(0.0, 0.0, bound) if tube is None else Row(viou(tube, truth), tiou(tube, truth), bound)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("locators", nargs="+")
    parser.add_argument("--clips", type=int, default=24)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows: dict[str, list[Row]] = {}
    with looking() as server, tempfile.TemporaryDirectory() as folder:
        chat = PictureChat(server.url, MODEL)
        for number, scene in enumerate(scenes(args.clips)):
            video = write_clip(Path(folder) / f"{number}.mp4", scene)
            with VideoReader(video) as opened:
                tracks = EmbeddedProposer().propose(opened)
            for name in args.locators:
                for again in (True, False):
                    grounder = Grounder.over(chat, settings_for(name, second_look=again), device="cpu")
                    said = name if again else f"{name}, first round"
                    row = measured(grounder, scene, video, tracks)
                    rows.setdefault(said, []).append(row)
                    print(number, scene.query, said, row, flush=True)
        print("| locator | m_tIoU | m_vIoU | bound | pictures and tokens of all |\n|---|---|---|---|---|")
        for name, found in rows.items():
            means = (float(np.mean([getattr(row, key) for row in found])) for key in ("tiou", "viou", "bound"))
            print(f"| {name} | " + " | ".join(f"{mean:.3f}" for mean in means) + f" | {chat.costs.now()} |")


if __name__ == "__main__":
    main()
