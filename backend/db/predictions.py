"""Is this sentence already grounded in this video, and what came out?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, undefer

from backend.db import task_state
from backend.db.engine import chunks, insert_once
from backend.db.tables import Prediction, Video


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


def find_many(session: Session, identities: Iterable[str]) -> dict[str, Suggestion]:
    """Those of these predictions that there are, by identity."""
    found: dict[str, Suggestion] = {}
    for some in chunks(identities):
        found |= {one.identity: one for one in _suggestions(session, Prediction.identity.in_(some))}
    return found


def of_row(session: Session, number: int) -> Suggestion:
    """The prediction of a row."""
    return next(_suggestions(session, Prediction.id == number))


def _suggestions(session: Session, condition: ColumnElement[bool]) -> Iterator[Suggestion]:
    columns = (
        Prediction.id, Prediction.identity, Prediction.model_version, Prediction.region_id, Prediction.score,
        Prediction.keyframes,
    )  # fmt: skip
    query = select(*columns, Video.fps_num, Video.fps_den, Video.n_frames, Video.duration_s)
    rows = session.execute(query.join(Video, Video.id == Prediction.video_id).where(condition))
    for row in rows:
        clip = Clip(row.fps_num / row.fps_den, row.n_frames, row.duration_s)
        yield Suggestion(row.id, row.identity, row.model_version, row.region_id, row.score, row.keyframes, clip)


def find(session: Session, identity: str) -> Prediction | None:
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
    return session.scalar(select(Video).where(Video.sha256 == sha256))


def by_region(session: Session, video_id: int, region_ids: Sequence[str]) -> dict[str, Prediction]:
    """What was found in a video, by the id that its region has in Label Studio."""
    if not region_ids:
        return {}
    mine = (Prediction.video_id == video_id) & Prediction.region_id.in_(region_ids)
    return {row.region_id: row for row in session.scalars(select(Prediction).where(mine))}
