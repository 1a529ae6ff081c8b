"""A connected project with one painted clip at each of the frame rates at which frame numbers go wrong most easily."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from backend.db.engine import Database
from backend.demo import annotator
from backend.demo.clips import DemoClip
from backend.demo.loop import DemoProject, connect, preannotate
from backend.demo.stack import Stack
from backend.labelstudio.client import LabelStudioClient
from tests.e2e.painted_clip import N_FRAMES, QUERY, paint_clip

RATES = (Fraction(10), Fraction(25), Fraction(30000, 1001))


@dataclass(frozen=True)
class Loop:
    """Everything that is connected, for tests to act on."""

    client: LabelStudioClient
    stack: Stack
    database: Database
    project: DemoProject


def painted(folder: Path, name: str, fps: Fraction) -> DemoClip:
    path = folder / name
    return DemoClip(path, QUERY, float(fps), N_FRAMES, paint_clip(path, fps))


def start_loop(client: LabelStudioClient, stack: Stack, document_root: Path) -> Loop:
    """The project after every task was opened, twice at once, and asked for once more in a batch; all tubes are in."""
    clips = [painted(document_root / "painted", f"{fps.numerator}-{fps.denominator}.mp4", fps) for fps in RATES]
    project = connect(client, stack, document_root, clips, title="end to end")
    database = Database(stack.database_url)
    for task in project.tasks:
        annotator.open_task(client, task)
    preannotate(client, database, stack, project)
    return Loop(client, stack, database, project)


def add_task(loop: Loop, folder: Path, name: str, fps: Fraction = Fraction(10)) -> DemoProject:
    """One more task in the project, not yet asked for; returns a view of the project with that task alone."""
    clip = painted(folder, name, fps)
    data = {"video": f"/data/local-files/?d={folder.name}/{name}", "query": QUERY, "fps": round(float(fps), 6)}
    task = loop.client.import_tasks(loop.project.id, [data])["task_ids"][0]
    return DemoProject(loop.project.id, loop.project.config, {task: clip})
