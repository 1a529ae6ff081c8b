"""Through which files does one video go? Files and functions of the core that one grounding enters, room by room.

    .venv/bin/python -m benchmarks.way
    .venv/bin/python -m benchmarks.way --lra     # with a step of LRA, as with a big model

The embedded model on a rendered clip, with the proposer. Reading the file (``video/``), candidates (``proposals/``) and
the sentence (``decomposition/``) are rooms of their own, and so is the seam before the
method (``locating/``); the rest is the method.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType

import torch

import stvg_core
from stvg_core.demo import MODEL_DIR
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.pipeline import Grounder
from stvg_core.settings import GroundingSettings, resolve

CORE = Path(stvg_core.__file__).parent
OTHER_ROOMS = ("video", "proposals", "decomposition", "locating")
Entered = dict[str, set[str]]
"""File, relative to the core -> the functions of it that were called."""


def entered(call: Callable[[], object]) -> Entered:
    """What of the core is entered by a call, in this thread."""
    found: Entered = {}

    def see(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(f"{CORE}/"):
            functions = found.setdefault(str(Path(code.co_filename).relative_to(CORE)), set())
            if not code.co_name.startswith("<"):  # comprehensions and lambdas
                functions.add(code.co_qualname)

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        call()
    finally:
        sys.setprofile(before)
    return found


def of_the_method(found: Entered) -> list[str]:
    """The files outside of the rooms that only bring the method what it works on."""
    return sorted(file for file in found if file.split("/")[0] not in OTHER_ROOMS)


def one_grounding(settings: GroundingSettings) -> Entered:
    """The way of one clip; the model is loaded before."""
    grounder = Grounder.from_pretrained(MODEL_DIR, device="cpu", settings=settings)
    scene = split_scene("validation", 7, difficulty="easy", max_seconds=6.0)
    with tempfile.TemporaryDirectory() as folder:
        clip = write_clip(Path(folder) / "clip.mp4", scene)
        return entered(lambda: grounder.ground(clip, scene.query))


def table(found: Entered) -> list[str]:
    """A Markdown row per room: how many files, how many functions, which files."""
    rooms: dict[str, list[str]] = {}
    for file in sorted(found):
        rooms.setdefault(file.split("/")[0] if "/" in file else "(top)", []).append(file)
    rows = ["| room | files | functions | which |", "|---|---|---|---|"]
    for room, files in rooms.items():
        names = ", ".join(Path(file).stem for file in files)
        rows.append(f"| {room} | {len(files)} | {sum(len(found[file]) for file in files)} | {names} |")
    method = of_the_method(found)
    functions = sum(len(found[file]) for file in method)
    return [*rows, "", f"The method: {len(method)} files, {functions} functions; in all {len(found)} files."]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lra", action="store_true", help="with one step of LRA, which the embedded preset leaves out")
    args = parser.parse_args()
    torch.set_num_threads(1)
    settings = resolve(MODEL_DIR, None)
    print("\n".join(table(one_grounding(replace(settings, lra_steps=1) if args.lra else settings))))  # noqa: T201


if __name__ == "__main__":
    main()
