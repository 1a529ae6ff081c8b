"""Real groundings of the embedded model on short synthetic clips, with an interval rule that is deliberately bad."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from stvg_core.demo import MODEL_DIR
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.demo.evaluate import scene_truth
from stvg_core.demo.scenes import Scene
from stvg_core.pipeline import Grounder
from stvg_core.proposals.embedded_proposer import EmbeddedProposer
from stvg_core.settings import GroundingSettings, preset
from stvg_core.tube import Grounding, Tube

BAD = {"centre": 0.7}
"""Cuts an action down to its brightest moments; the model's own preset has 0.12."""
CLIPS = 30
_QUICK = {"n_slots": 12, "second_look": False}


@dataclass(frozen=True)
class Grounded:
    """A scene, what the model answered, and the truth."""

    scene: Scene
    found: Grounding
    truth: Tube


@dataclass(frozen=True)
class Session:
    """The folder of the model with its bad preset, and all answers."""

    model: Path
    answers: list[Grounded]


def open_grounder(model: Path, settings: GroundingSettings | None = None) -> Grounder:
    """With proposals from few pictures: they are what takes longest."""
    proposer = EmbeddedProposer(max_pictures=20)
    return Grounder.from_pretrained(model, device="cpu", settings=settings, proposer=proposer)


def ground_all(folder: Path) -> Session:
    """Clips of the test split that nothing was chosen on, each grounded once."""
    model = Path(shutil.copytree(MODEL_DIR, folder / "model"))
    settings = preset(MODEL_DIR) | _QUICK | BAD
    (model / "stvg.json").write_text(json.dumps({"settings": settings}))
    grounder = open_grounder(model)
    answers = []
    for number in range(9000, 9000 + CLIPS):
        scene = split_scene("test", number, difficulty="easy", max_seconds=6.0)
        found = grounder.ground(write_clip(folder / f"{number}.mp4", scene), scene.query)
        answers.append(Grounded(scene, found, scene_truth(scene)))
    return Session(model, answers)
