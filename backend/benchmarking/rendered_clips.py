"""The same on rendered clips: what is true is known by construction, and nothing has to be fetched.

Clips of the test split, which the embedded model was neither trained nor tuned on. They are rendered once into a folder
and kept there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.benchmarking.dataset import RENDERED, Dataset, Record
from backend.benchmarking.made_with import code_digest
from backend.media.file_address import file_address
from backend.prelabel.item import Found, Item
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.demo.scenes import Difficulty, Scene
from stvg_core.demo.truths import scene_truth
from stvg_core.errors import StvgError
from stvg_core.evaluation.protocols import Protocol
from stvg_core.evaluation.samples import Truth
from stvg_core.query import normalise_query

SPLIT = "test"
LEVEL: Difficulty = "medium"
CLIPS = 20
"""So many, unless a number is asked for."""


def of_rendered(folder: Path, clips: int) -> Dataset:
    """The first clips of the split, rendered into ``folder`` where they are not there yet.

    Raises:
        StvgError: a clip cannot be written.
    """
    records, items = [], []
    for number in range(clips):
        scene = split_scene(SPLIT, number, difficulty=LEVEL)
        path = _rendered(folder, number, scene)
        name, truth = path.name, scene_truth(scene)
        where = f"rendered clip {number}"
        records.append(
            Record(
                name, where,
                Truth.of_tube(
                    name, scene.query, truth, size=(scene.width, scene.height), fps=float(scene.fps),
                    n_frames=scene.n_frames, category=scene.objects[scene.target].shape,
                ),
            )
        )  # fmt: skip
        address, sentence = file_address(path), normalise_query(scene.query)
        items.append(Item(address, sentence, name, where, {"video": address, "query": sentence}, truth))

    @contextmanager
    def opened() -> Iterator[Callable[[], Iterator[Found]]]:
        yield lambda: iter(items)

    # Clips are kept, and truths are drawn anew: both must be the same renderer's.
    identity = {"dataset": RENDERED, "split": SPLIT, "difficulty": LEVEL, "renderer": code_digest("demo/*.py")}
    return Dataset(RENDERED, records, identity, opened, Protocol.HCSTVG)


def _rendered(folder: Path, number: int, scene: Scene) -> Path:
    path = folder / f"{SPLIT}-{LEVEL}-{number:04d}.mp4"
    if not path.exists():
        unfinished = folder / f"unfinished-{number}.mp4"  # renamed when it is whole
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_clip(unfinished, scene)
            unfinished.with_suffix(".json").replace(path.with_suffix(".json"))
            unfinished.replace(path)
        except OSError as error:
            raise StvgError(f"{path} cannot be written: {error.strerror or error}.") from None
    return path.absolute()
