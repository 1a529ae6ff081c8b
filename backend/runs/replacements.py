"""Which sentences were answered about a file that is another one by now, under the same name?

A job is known by its video's address, so a file that was replaced would keep the old answer. Files of this machine are
looked at: another size, or a later time and other bytes. Copies that keep size and time are not noticed, nor is
anything behind an address of another machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy import select

from backend.db.engine import Database, chunks
from backend.db.tables import Job, Prediction, Video
from backend.media.errors import MediaError
from backend.media.file import MediaFile


class Files(Protocol):
    """The part of the media library that is needed."""

    def file_of(self, ref: str, *, project: int | None = None) -> Path | None: ...
    def fetch(self, ref: str, *, task: int | None = None, project: int | None = None) -> MediaFile: ...


def replaced_files(database: Database, files: Files, project_id: int, job_ids: Iterable[int]) -> dict[int, str]:
    """Of these answered jobs, those whose video is another file now, with its address."""
    found: dict[int, str] = {}
    for some in chunks(sorted(job_ids)):
        query = (
            select(Job.id, Job.video_ref, Job.started_at, Video.sha256, Video.size_bytes)
            .join(Prediction, Prediction.id == Job.prediction_id)
            .join(Video, Video.id == Prediction.video_id)
            .where(Job.id.in_(some), Job.state == "done")
        )
        with database.read() as session:
            rows = session.execute(query).all()
        for row in rows:
            if _is_replaced(files, project_id, row.video_ref, row.started_at, row.sha256, row.size_bytes):
                found[row.id] = row.video_ref
    return found


def _is_replaced(files: Files, project_id: int, ref: str, since: datetime | None, sha256: str, size_bytes: int) -> bool:
    try:
        path = files.file_of(ref, project=project_id)
        if path is None:
            return False
        facts = path.stat()
        if facts.st_size != size_bytes:
            return True
        if since is not None and datetime.fromtimestamp(facts.st_mtime, UTC) < since:
            return False
        return files.fetch(ref, project=project_id).sha256 != sha256
    except (MediaError, OSError):
        return False  # gone, or not to be read: the reading of the source says so
