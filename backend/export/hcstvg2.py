"""HC-STVG version 2: ``{video: {bbox, st_time, ed_time, st_frame, img_num, img_size, English}}``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from backend.export.names import VideoNames
from backend.export.records import Record
from stvg_core.datasets.hcstvg import HcStvgRecord, write_v2


def write(records: Iterable[Record], path: Path) -> VideoNames:
    """Write the records; the file appears whole or not at all. Returns the names that were given to the videos.

    The format knows one uninterrupted tube: where an annotator switched a box off for a while, it is filled linearly.
    A further sentence on a video of the file gets ``#2``, ``#3`` ... after the video's name.
    """
    names = VideoNames()

    def lines() -> Iterator[HcStvgRecord]:
        for record in records:
            yield HcStvgRecord.from_tube(
                names.name(record.video_ref, record.video.sha256),
                record.query,
                record.tube,
                fps=record.video.fps,
                n_frames=record.video.n_frames,
                width=record.video.width,
                height=record.video.height,
            )

    write_v2(lines(), path)
    return names
