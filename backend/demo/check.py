"""The demo without a person: plays the annotator, then compares what the database and the export hold with what it did.

One task is corrected (the end and the boxes), one is skipped, the others are accepted as they are.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from backend.db.annotations import current
from backend.db.engine import Database
from backend.db.tables import Annotation, Prediction
from backend.demo import annotator
from backend.demo.clips import DemoClip
from backend.demo.loop import DemoProject, job_states
from backend.demo.stack import Stack
from backend.demo.summary import ProposedTube, Summary
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.result import result_to_tubes
from backend.labelstudio.task_data import read_value
from backend.processes import ProcessError
from stvg_core.datasets.hcstvg import HcStvgRecord, read
from stvg_core.keyframes import Keyframe, expand
from stvg_core.metrics import viou
from stvg_core.text import clean
from stvg_core.tube import Tube

SHIFT_PERCENT = 3.0
PATIENCE_S = 60.0
FEWEST = 3
"""Proposals that the check needs: one to correct, one to skip, one to send back."""
Span = tuple[int, int]


@dataclass(frozen=True)
class Played:
    """What the annotator did.

    Attributes:
        corrected, skipped: one task each.
        cut: by how many frames the corrected tube was shortened.
        spans: first and last frame of everything that was submitted, by task; 0-based, straight from what was sent.
        tubes: the same with its boxes.
    """

    corrected: int
    skipped: int
    cut: int
    spans: dict[int, Span]
    tubes: dict[int, Tube]


def check_predictions(
    client: LabelStudioClient, database: Database, project: DemoProject, tubes: Sequence[ProposedTube], summary: Summary
) -> None:
    """Every task has exactly one prediction, and its frames are those that the database holds."""
    summary.check("tasks with a proposed tube", sum(tube.span is not None for tube in tubes), len(project.tasks))
    counts = [len(client.predictions(task)) for task in project.tasks]
    summary.check("predictions per task in Label Studio", sorted(set(counts)), [1])
    shown = {tube.task: (tube.span[0] - 1, tube.span[1] - 1) for tube in tubes if tube.span}
    stored = {task: predicted_span(database, project, task) for task in project.tasks}
    summary.check("first and last frame in Label Studio as in the database", shown, stored)
    rates = {task: read_value(client.task(task)["data"], project.config.frame_rate_key) for task in project.tasks}
    right = sum(abs(float(rates[task]) - clip.fps) < 1e-3 for task, clip in project.tasks.items())
    summary.check("tasks with their video's frame rate", right, len(project.tasks))


def predicted_span(database: Database, project: DemoProject, task: int) -> Span | None:
    """The stored prediction's first and last frame, 0-based."""
    number = job_states(database, project)[task][0].prediction_id
    with database.read() as session:
        prediction = session.get(Prediction, number) if number is not None else None
    if prediction is None or prediction.start_frame is None or prediction.end_frame is None:
        return None
    return prediction.start_frame, prediction.end_frame


def play_annotator(client: LabelStudioClient, project: DemoProject, tubes: Sequence[ProposedTube]) -> Played:
    """Work through all tasks; the longest tube is the one that gets corrected.

    Raises: ProcessError when there are fewer than three proposals to work on.
    """
    proposed = [tube for tube in tubes if tube.span is not None]
    if len(proposed) < FEWEST:
        raise ProcessError("at least three proposals are needed: one to correct, one to skip, one to send back.")
    longest = max(proposed, key=lambda tube: _length([tube], tube.task)).task
    skipped = next(tube.task for tube in proposed if tube.task != longest)
    length = _length(proposed, longest)
    # A tube of one frame (length 0) cannot end earlier.
    played = Played(longest, skipped, cut=min(length, max(1, length // 5)), spans={}, tubes={})
    for tube in proposed:
        annotator.open_task(client, tube.task)
        (prediction,) = client.predictions(tube.task)
        if tube.task == skipped:
            annotator.skip(client, tube.task)
            continue
        if tube.task == longest:
            made = annotator.correct(client, tube.task, prediction, project.config, cut=played.cut, shift=SHIFT_PERCENT)
        else:
            made = annotator.accept(client, tube.task, prediction, project.config)
        n_frames = project.tasks[tube.task].n_frames
        first, last = annotator.span(made["result"])
        played.spans[tube.task] = (first - 1, last - 1)
        played.tubes[tube.task] = result_to_tubes(made["result"], project.config, n_frames=n_frames)[0].tube
    return played


def _length(tubes: Sequence[ProposedTube], task: int) -> int:
    return next(tube.span[1] - tube.span[0] for tube in tubes if tube.task == task and tube.span)


def await_corrections(database: Database, project: DemoProject, count: int) -> dict[int, Annotation]:
    """Wait until the annotations of ``count`` tasks have arrived; by Label Studio's task number.

    Returns what there is when the time is over: the checks say what is missing.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with database.read() as session:
            rows = current(session, project_id=project.id)
        found = {row.task.ls_task_id: row for row in rows if row.task is not None}
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.3)


def check_corrections(database: Database, project: DemoProject, played: Played, summary: Summary) -> None:
    """The database holds what the annotator submitted, frame by frame, tied to the prediction it began from."""
    rows = await_corrections(database, project, len(played.spans) + 1)
    summary.check("tasks with an annotation in the database", sorted(rows), sorted([*played.spans, played.skipped]))
    skipped = [task for task, row in rows.items() if row.was_cancelled]
    summary.check("skipped tasks", skipped, [played.skipped])

    states = job_states(database, project)
    origins = {task: row.prediction_id for task, row in rows.items() if task in played.spans}
    wanted = {task: states[task][0].prediction_id for task in played.spans}
    summary.check("the prediction that each annotation began from", origins, wanted)
    stored = {task: stored_tube(row) for task, row in rows.items()}
    spans = {task: span(tube) for task, tube in stored.items() if tube is not None}
    summary.check("first and last frame of each annotation", spans, played.spans)
    overlaps = [viou(tube, played.tubes[task]) for task, tube in stored.items() if tube and task in played.tubes]
    worst = round(min(overlaps, default=0.0), 3)
    summary.check("smallest vIoU of a stored annotation with the submitted one", worst, 1.0)
    proposed, final = predicted_span(database, project, played.corrected), spans.get(played.corrected)
    shorter = proposed[1] - final[1] if proposed and final else None
    summary.check("frames by which the corrected tube ends earlier", shorter, played.cut)


def span(tube: Tube) -> Span:
    """First and last frame, 0-based."""
    return tube.start_frame, tube.end_frame


def stored_tube(row: Annotation) -> Tube | None:
    """An annotation's first tube; None for a skipped task."""
    if not row.tubes:
        return None
    return expand([Keyframe(int(frame), np.array(box)) for frame, *box in row.tubes[0]["keyframes"]])


def check_export(file: Path, played: Played, project: DemoProject, summary: Summary) -> None:
    """The exported dataset holds every submitted tube under its clip's name, and nothing of the skipped task."""
    exported = {label_of(record): record.tube() for record in read(file)}
    submitted = {label_of(project.tasks[task]): tube for task, tube in played.tubes.items()}
    summary.check("first and last frame of each exported label", _spans(exported), _spans(submitted))
    worst = min((viou(exported[label], tube) for label, tube in submitted.items() if label in exported), default=0.0)
    # The format rounds boxes to hundredths of a pixel.
    summary.check("smallest vIoU of an exported label with the submitted one", round(worst, 2), 1.0)


def check_sync(stack: Stack, summary: Summary) -> None:
    """Label Studio's own list of annotations holds nothing that the webhooks did not bring."""
    said = stack.run("sync").splitlines()
    changes = [line for line in said if re.search(r"\b[1-9]\d* (versions fetched|deletions noted|computed)", line)]
    summary.check("what stvg sync still had to do", changes, [])


def label_of(found: HcStvgRecord | DemoClip) -> str:
    """What an exported label and the clip that it belongs to have in common: the video's name and the sentence.

    An export puts folders before the names of videos that share one.
    """
    if isinstance(found, DemoClip):
        return f"{found.path.name}: {clean(found.query)}"
    label = found.label()
    return f"{PurePosixPath(label.video).name}: {clean(found.caption)}"


def _spans(tubes: dict[str, Tube]) -> dict[str, Span]:
    return {label: span(tube) for label, tube in sorted(tubes.items())}
