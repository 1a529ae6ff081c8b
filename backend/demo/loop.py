"""From clips to proposals in Label Studio: connect the project, ask for every task, wait, read what is there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.db import jobs
from backend.db.engine import Database
from backend.db.tables import Delivery, Job
from backend.demo.clips import DemoClip
from backend.demo.stack import Stack
from backend.demo.summary import ProposedTube
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.config import LabelConfig, read_config
from backend.labelstudio.result import result_to_tubes
from backend.labelstudio.tasks import local_file_address
from backend.processes import ProcessError
from stvg_core.metrics import tiou, viou

TITLE = "Tubes: demo"


@dataclass(frozen=True)
class DemoProject:
    """The demo's project in Label Studio.

    Attributes:
        tasks: the clip of each of its tasks, in order.
        warnings: what ``stvg connect`` said of the videos.
    """

    id: int
    config: LabelConfig
    tasks: dict[int, DemoClip]
    warnings: tuple[str, ...] = ()


def connect(
    client: LabelStudioClient, stack: Stack, document_root: Path, clips: Sequence[DemoClip], title: str = TITLE,
    folder: Path | None = None,
) -> DemoProject:  # fmt: skip
    """Run ``stvg connect`` for the clips, which lie in one folder below the document root; read what it made.

    Args:
        folder: that folder; where it is None, the first clip's.

    Raises: ProcessError when it fails.
    """
    videos = clips[0].path.parent if folder is None else folder
    task_file = stack.data_dir / "tasks.json"
    tasks = [{"video": str(clip.path.relative_to(videos)), "query": clip.query} for clip in clips]
    task_file.write_text(json.dumps(tasks))
    said = stack.run("connect", "--project", title, "--videos", str(videos), "--tasks", str(task_file))

    (found,) = client.projects(title=title)
    project_id = int(found["id"])
    config = read_config(client.project(project_id)["label_config"])
    known = {(local_file_address(clip.path, document_root), clip.query): clip for clip in clips}
    found_there = {
        int(task["id"]): known.get((config.video_of(task["data"]), config.query_of(task["data"])))
        for task in client.tasks(project_id)
    }
    warnings = tuple(line for line in said.splitlines() if line.startswith("warning: "))
    return DemoProject(
        project_id, config, {task: clip for task, clip in found_there.items() if clip is not None}, warnings
    )


def preannotate(
    client: LabelStudioClient,
    database: Database,
    stack: Stack,
    project: DemoProject,
    *,
    progress: Callable[[float], None] = lambda done: None,
    timeout_s: float = 1800.0,
) -> None:
    """Ask for a proposal for every task in one call, as the Data Manager does, and wait until each is settled.

    Args:
        progress: called with the number of tasks done, fractions of the running one included.

    Raises:
        ProcessError: a process ended, or the time is over.
    """
    client.retrieve_predictions(project.id)
    deadline = time.monotonic() + timeout_s
    while True:
        states = job_states(database, project)
        progress(sum(_share_done(job, delivery) for job, delivery in states.values()))
        if len(states) == len(project.tasks) and all(_settled(*state) for state in states.values()):
            return
        for child in (stack.web, stack.worker):
            if not child.alive:
                raise ProcessError(f"{child.name} ended too early. Its last lines ({child.log}):\n{child.tail()}")
        if time.monotonic() > deadline:
            raise ProcessError(f"not every task was answered within {timeout_s:.0f} s ({stack.worker.log}).")
        time.sleep(0.3)


def job_states(database: Database, project: DemoProject) -> dict[int, tuple[Job, Delivery | None]]:
    """The newest job of each task of the project, with its delivery once there is a prediction."""
    newest: dict[int, tuple[Job, Delivery | None]] = {}
    with database.read() as session:
        for job, delivery in jobs.listing(session, limit=1000):
            if job.task.project_id == project.id and job.task.ls_task_id in project.tasks:
                newest.setdefault(job.task.ls_task_id, (job, delivery))
    return newest


def _settled(job: Job, delivery: Delivery | None) -> bool:
    return job.state == "failed" or (delivery is not None and delivery.state in ("delivered", "failed"))


def _share_done(job: Job, delivery: Delivery | None) -> float:
    return 1.0 if _settled(job, delivery) else 0.95 * job.progress


def read_tubes(client: LabelStudioClient, database: Database, project: DemoProject) -> list[ProposedTube]:
    """What Label Studio shows for each task now, with the seconds it took, beside the truth where that is known."""
    states = job_states(database, project)
    rows = []
    for task_id, clip in project.tasks.items():
        job, delivery = states[task_id]
        predictions = [p for p in client.predictions(task_id) if p["model_version"] == job.model_version]
        seconds = (job.finished_at - job.started_at).total_seconds() if job.finished_at and job.started_at else None
        problem = job.reason or (delivery.reason if delivery else None)
        tubes = (
            result_to_tubes(predictions[-1]["result"], project.config, n_frames=clip.n_frames) if predictions else []
        )
        row: dict[str, Any] = {"task": task_id, "video": clip.path.name, "query": clip.query, "fps": clip.fps}
        row |= {"seconds": seconds, "problem": problem}
        if tubes:
            tube = tubes[0].tube
            row |= {
                "span": (tube.start_frame + 1, tube.end_frame + 1),
                "keyframes": tubes[0].keyframes,
                "score": float(predictions[-1]["score"]),
                "model_version": job.model_version,
            }
            if clip.truth is not None:
                row |= {"tiou": tiou(tube, clip.truth), "viou": viou(tube, clip.truth)}
        rows.append(ProposedTube(**row))
    return rows
