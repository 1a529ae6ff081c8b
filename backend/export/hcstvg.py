"""HC-STVG: ``{video: {bbox, st_time, ed_time, st_frame, img_num, ...}}``, version 1 and version 2.

Version 1 has ``caption``, ``width`` and ``height``; version 2 has ``English`` and ``img_size: [height, width]``. The
format knows one uninterrupted tube: where an annotator switched a box off for a while, it is filled linearly. It
allows each name once: a further sentence on a video gets ``#2``, ``#3`` ... after the video's name, and ``video`` says
the name itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.db.tables import Video
from backend.export.pieces import dumps, elements
from backend.export.record import VideoLabels
from stvg_core.datasets.hcstvg import CLIP, HcStvgRecord
from stvg_core.tube import Tube


@contextmanager
def write(path: Path, *, version: int) -> Iterator[Callable[[VideoLabels], None]]:
    """A function that adds a video's labels to the file."""
    taken: set[str] = set()
    with path.open("x", encoding="utf-8") as file:
        with elements(file, "{}") as element:

            def add(labels: VideoLabels) -> None:
                number = 1
                for fields in _entries(labels, version):
                    name = labels.name
                    while name in taken:
                        number += 1
                        name = f"{labels.name}#{number}"
                    taken.add(name)
                    # A video may be called "take#2": then the name alone would not tell which video is meant.
                    own = {CLIP: labels.name} if name != labels.name or "#" in name else {}
                    element(f"{dumps(name)}:{dumps(fields | own)}")

            yield add
        file.write("\n")


def _seconds(video: Video, tube: Tube) -> tuple[float, float]:
    """When the first and the last frame are shown; labels of videos without known times do not come here."""
    start, end = video.seconds_of(tube.start_frame), video.seconds_of(tube.end_frame)
    if start is None or end is None:
        raise ValueError("HC-STVG has no way to say that a time is not known")
    return start, end


def _entries(labels: VideoLabels, version: int) -> Iterator[dict[str, Any]]:
    video = labels.video
    for label in labels.records:
        record = HcStvgRecord.from_tube(
            labels.name, label.query, label.tube,
            fps=video.fps, n_frames=video.n_frames, width=video.width, height=video.height,
            seconds=_seconds(video, label.tube),
        )  # fmt: skip
        fields: dict[str, Any] = {
            "bbox": [[float(v) for v in box] for box in record.boxes],
            "st_time": record.start_s,
            "ed_time": record.end_s,
            "st_frame": record.start_frame + 1,
            "img_num": record.n_frames,
        }
        if version == 1:
            fields |= {"width": record.width, "height": record.height, "caption": record.caption}
        else:
            fields |= {"img_size": [record.height, record.width], "English": record.caption}
        yield fields | label.mark()
