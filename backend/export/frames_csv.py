"""CSV: one row per frame on which the box is switched on.

Frames count from 0, corners are pixels. Text that a spreadsheet would take for a formula gets an apostrophe in front.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.db.tables import Video
from backend.export.record import VideoLabels
from stvg_core.datasets.frames_csv import guarded

COLUMNS = (
    "video", "project", "task", "annotation", "annotator", "label", "sentence", "origin", "verdict",
    "frame", "time_s", "x1", "y1", "x2", "y2",
)  # fmt: skip


@contextmanager
def write(path: Path) -> Iterator[Callable[[VideoLabels], None]]:
    """A function that adds a video's labels to the file."""
    with path.open("x", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)

        def add(labels: VideoLabels) -> None:
            for record in labels.records:
                texts = (record.label, record.query, record.origin, record.verdict)
                head = [guarded(labels.name), record.project_id, record.task_id, record.name, record.author_id]
                head += [guarded(text or "") for text in texts]
                for frame, box, drawn in zip(
                    record.tube.frames.tolist(), record.corners(), record.drawn(), strict=True
                ):
                    if drawn:
                        writer.writerow([*head, frame, _seconds(labels.video, frame), *box])

        yield add


def _seconds(video: Video, frame: int) -> float | str:
    """To a microsecond; empty where a variable-rate video's times are not stored yet."""
    seconds = video.seconds_of(frame)
    return "" if seconds is None else round(seconds, 6)
