"""What was found in a video for boxes whose ends were set on the timeline?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.engine import insert_once
from backend.db.tables import Followed


def identity(video_sha256: str, key: str) -> str:
    """64 hex digits; ``key`` is the wish's."""
    return hashlib.sha256(json.dumps(["followed", video_sha256, key]).encode()).hexdigest()


def find(session: Session, video_sha256: str, key: str) -> Followed | None:
    """What was found for this wish in a video, None where nobody has looked yet."""
    return session.scalar(select(Followed).where(Followed.identity == identity(video_sha256, key)))


def of(session: Session, identities: Sequence[str]) -> Sequence[Followed]:
    """Those of these identities that are there."""
    return session.scalars(select(Followed).where(Followed.identity.in_(identities))).all()


def store(session: Session, video_sha256: str, key: str, **values: Any) -> Followed:
    """The row of this wish in this video; an existing one is kept as it is."""
    name = identity(video_sha256, key)
    insert_once(session, Followed, "identity", identity=name, **values)
    return session.scalars(select(Followed).where(Followed.identity == name)).one()
