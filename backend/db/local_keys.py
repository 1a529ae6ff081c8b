"""By what is a local project's task known in Label Studio? By a key in its data, which no other task has."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from backend.db.tables import Project
from backend.db.types import plain

KEY = "stvg_task"
"""Of a task's data in Label Studio: which local task it was. By it an import that was cut off is gone on with."""

_SHAPE = re.compile(r"([0-9a-f]{12})-(\d{1,18})(?:-([0-9a-f]{8}))?", re.ASCII)


@dataclass(frozen=True)
class LocalKey:
    """What a key says: the local project's token, our row of the task, and a digest of the address that it was given.

    Keys of before there was a digest have none.
    """

    token: str
    row: int
    address: str | None = None

    def holds_for(self, video_ref: str) -> bool:
        """Is it still the video that was imported with this key?"""
        return self.address in (None, _digest(video_ref))


def token_of(project: Project) -> str:
    """What the keys of a local project's tasks begin with: another one in every database."""
    said = f"{project.created_at.isoformat()} {project.id} {project.title}"
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def key_of(token: str, task_id: int, video_ref: str) -> str:
    """What a task of a local project is known by in Label Studio. Numbers of rows are not used twice.

    Args:
        video_ref: the address of its video there.
    """
    return f"{token}-{task_id}-{_digest(video_ref)}"


def parse_key(value: object) -> LocalKey | None:
    """None for what is no key."""
    found = _SHAPE.fullmatch(value) if isinstance(value, str) else None
    return None if found is None else LocalKey(found[1], int(found[2]), found[3])


def _digest(video_ref: str) -> str:
    return hashlib.sha256(plain(video_ref).encode()).hexdigest()[:8]
