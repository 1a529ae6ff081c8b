"""Is this sentence already grounded in this video, and what came out?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session, undefer

from backend.db import task_state
from backend.db.engine import chunks, insert_once
from backend.db.tables import Base, Prediction, Video


@dataclass(frozen=True)
class Clip:
    """What a result says of its video."""

    fps: float
    n_frames: int
    duration_s: float


@dataclass(frozen=True)
class Suggestion:
    """What of a prediction Label Studio is told, without what led to it."""

    id: int
    identity: str
    model_version: str
    region_id: str
    score: float
    keyframes: list[Any] | None
    video: Clip


_TABLE, _VIDEO = (Base.metadata.tables[table.__tablename__] for table in (Prediction, Video))
_SUGGESTIONS = select(
    *(_TABLE.c[name] for name in ("id", "identity", "model_version", "region_id", "score", "keyframes")),
    *(_VIDEO.c[name] for name in ("fps_num", "fps_den", "n_frames", "duration_s")),
).join_from(_TABLE, _VIDEO, _VIDEO.c.id == _TABLE.c.video_id)
_BY_IDENTITY = _SUGGESTIONS.where(_TABLE.c.identity.in_(bindparam("identities", expanding=True)))
_REGIONS = (
    select(_TABLE.c.id, _TABLE.c.video_id, _TABLE.c.region_id)
    .where(_TABLE.c.video_id.in_(bindparam("videos", expanding=True)))
    .where(_TABLE.c.region_id.in_(bindparam("regions", expanding=True)))
    .order_by(_TABLE.c.id)
)
_BY_ROW = _SUGGESTIONS.where(_TABLE.c.id == bindparam("number"))


def find_many(session: Session, identities: Iterable[str]) -> dict[str, Suggestion]:
    """Those of these predictions that there are, by identity."""
    session.flush()
    found: dict[str, Suggestion] = {}
    for some in chunks(identities):
        found |= {row.identity: _suggestion(row) for row in session.execute(_BY_IDENTITY, {"identities": some})}
    return found


def of_row(session: Session, number: int) -> Suggestion:
    """The prediction of a row."""
    return _suggestion(session.execute(_BY_ROW, {"number": number}).one())


def _suggestion(row: Row[Any]) -> Suggestion:
    clip = Clip(row.fps_num / row.fps_den, row.n_frames, row.duration_s)
    return Suggestion(row.id, row.identity, row.model_version, row.region_id, row.score, row.keyframes, clip)


def find(session: Session, identity: str) -> Prediction | None:
    """The prediction of this identity, None where there is none."""
    return session.scalar(select(Prediction).where(Prediction.identity == identity))


def store(session: Session, identity: str, **values: Any) -> Prediction:
    """The row of this identity; an existing one is kept as it is."""
    insert_once(session, Prediction, "identity", identity=identity, **values)
    return session.scalars(select(Prediction).where(Prediction.identity == identity)).one()


def newest(session: Session, task_id: int) -> Prediction | None:
    """The suggestion of a task (its row): what its newest answered job found. Interactive answers are none."""
    state = task_state.of_task(session, task_id)
    return None if state is None or state.prediction_id is None else session.get(Prediction, state.prediction_id)


def without_uncertainty(session: Session, *, after: int, limit: int) -> Sequence[Prediction]:
    """Predictions from before it was stored, by row, from the one behind ``after``; with their evidence."""
    missing = select(Prediction).where(Prediction.uncertainty.is_(None), Prediction.id > after)
    query = missing.options(undefer(Prediction.evidence)).order_by(Prediction.id).limit(limit)
    return session.scalars(query).all()


def store_video(session: Session, sha256: str, **facts: Any) -> Video:
    """The row of a video's content.

    An existing row gets the facts of this reading where they differ: the content is the same, so the row is from before
    a mistake in reading was mended, or lacks what was not stored then.
    """
    insert_once(session, Video, "sha256", sha256=sha256, **facts)
    row = session.scalars(select(Video).where(Video.sha256 == sha256)).one()
    for name, value in facts.items():
        if name != "frame_times" and getattr(row, name) != value:
            setattr(row, name, value)
    times = facts.get("frame_times")
    if not row.variable_rate:
        row.frame_times = None
    elif times is not None and row.frame_times != times:
        row.frame_times = times
    return row


def find_video(session: Session, sha256: str) -> Video | None:
    """The video of this content, None where it was never seen."""
    return session.scalar(select(Video).where(Video.sha256 == sha256))


def by_region(session: Session, video_id: int, region_ids: Sequence[str]) -> dict[str, Prediction]:
    """What was found in a video, by the id that its region has in Label Studio."""
    if not region_ids:
        return {}
    mine = (Prediction.video_id == video_id) & Prediction.region_id.in_(region_ids)
    return {row.region_id: row for row in session.scalars(select(Prediction).where(mine))}


def numbers_by_region(
    session: Session, video_ids: Collection[int], region_ids: Collection[str]
) -> dict[int, dict[str, int]]:
    """The same for several videos, as rows only: by video, then by region."""
    found: dict[int, dict[str, int]] = {}
    names, videos = sorted(region_ids), sorted(video_ids)
    for some in chunks(names) if videos else ():
        for number, video_id, region_id in session.execute(_REGIONS, {"videos": videos, "regions": some}):
            found.setdefault(video_id, {})[region_id] = number
    return found
