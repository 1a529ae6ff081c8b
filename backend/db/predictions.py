"""Is this sentence already grounded in this video, and what came out?"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.engine import insert_once
from backend.db.tables import Prediction, Video


def find(session: Session, identity: str) -> Prediction | None:
    return session.scalar(select(Prediction).where(Prediction.identity == identity))


def store(session: Session, identity: str, **values: Any) -> Prediction:
    """The row of this identity; an existing one is kept as it is."""
    insert_once(session, Prediction, "identity", identity=identity, **values)
    return session.scalars(select(Prediction).where(Prediction.identity == identity)).one()


def store_video(session: Session, sha256: str, **facts: Any) -> Video:
    """The row of a video's content; an existing one is kept as it is."""
    insert_once(session, Video, "sha256", sha256=sha256, **facts)
    return session.scalars(select(Video).where(Video.sha256 == sha256)).one()


def find_video(session: Session, sha256: str) -> Video | None:
    return session.scalar(select(Video).where(Video.sha256 == sha256))
