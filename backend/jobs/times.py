"""Variable-rate videos from before their frames' times were stored: read them again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sqlalchemy import select

from backend.db.engine import Database
from backend.db.tables import Task, Video
from backend.media import MediaFile
from stvg_core.errors import StvgError
from stvg_core.times import pack_times
from stvg_core.tube import VideoInfo


class Media(Protocol):
    """Where videos come from."""

    def fetch(self, ref: str) -> MediaFile: ...


def record_missing_times(
    database: Database, media: Media, probe: Callable[[Path], VideoInfo]
) -> tuple[int, list[str]]:  # fmt: skip
    """Give every variable-rate video without frame times its own.

    Returns:
        How many got theirs, and for each other one a sentence that says why not.
    """
    with database.read() as session:
        lacking = select(Video.id).where(Video.variable_rate.is_(True), Video.frame_times.is_(None)).order_by(Video.id)
        ids = list(session.scalars(lacking))
    stored, left = 0, []
    for video_id in ids:
        try:
            _record(database, media, probe, video_id)
        except StvgError as error:
            left.append(f"video {video_id}: the times of its frames are not known: {error}")
        else:
            stored += 1
    return stored, left


def _record(database: Database, media: Media, probe: Callable[[Path], VideoInfo], video_id: int) -> None:
    with database.read() as session:
        row = session.get_one(Video, video_id)
        sha256, n_frames = row.sha256, row.n_frames
        refs = list(session.scalars(select(Task.video_ref).where(Task.video_id == video_id).distinct()))
    problem = StvgError("no task names this video any more.")
    for ref in sorted(refs):
        try:
            file = media.fetch(ref)
            if file.sha256 != sha256:
                raise StvgError("at its address lies another file now.")
            info = probe(file.path)
        except StvgError as error:
            problem = error
            continue
        if info.n_frames != n_frames or info.times is None:
            raise StvgError("it is read in another way than when it was grounded. Ask for its tubes again.")
        with database.write() as session:
            session.get_one(Video, video_id).frame_times = pack_times(info.times)
        return
    raise problem
