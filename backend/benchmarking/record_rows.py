"""What did each record score, and where nothing was found, why? One row for each, whatever happened to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from backend.annotations.keyframe_rows import keyframes
from backend.benchmarking.answering import Asked
from backend.benchmarking.dataset import Record
from backend.db import jobs
from backend.db.engine import chunks
from backend.db.identity import job_identity
from backend.db.local_tasks import LocalTasks
from backend.db.tables import Job
from backend.db.tables import Prediction as Stored
from backend.runs.enqueue import LocalPlaces
from stvg_core.evaluation.compare import Sample
from stvg_core.evaluation.protocols import ZERO, Protocol, Scores, measure
from stvg_core.evaluation.samples import Prediction
from stvg_core.keyframes import expand
from stvg_core.tube import FEWER_SLOTS

SCORED, NO_TUBE, FAILED, MISSING, WAITING = "scored", "no tube", "failed", "missing", "waiting"
STATES = (SCORED, NO_TUBE, FAILED, MISSING, WAITING)


@dataclass(frozen=True)
class Row:
    """One record with its answer.

    Attributes:
        state: "scored", "no tube" (no candidate object), "failed" (the job), "missing" (no video, or a record that
            cannot be asked), "waiting" (not answered yet).
        reason: why it failed or is missing.
        prediction: the answer, where there is one.
        score: the model's own, in [0, 1]; ``seconds``: that it took, without what was shared with a sentence before.
        size, n_frames: of the video as it was read, ``(width, height)``.
        slots: how many slots were looked at, where the GPU's memory did not suffice for all.
    """

    record: Record
    state: str
    reason: str = ""
    prediction: Prediction | None = None
    score: float | None = None
    seconds: float | None = None
    size: tuple[int, int] | None = None
    n_frames: int | None = None
    slots: int | None = None

    def scores(self, protocol: Protocol) -> Scores:
        """All 0 where there is no tube, whatever the reason."""
        return ZERO if self.prediction is None else measure(protocol, self.record.truth, self.prediction)

    def sample(self, protocol: Protocol) -> Sample:
        """As the evaluation has it, which knows three states."""
        state = self.state if self.state in (SCORED, NO_TUBE) else "missing"
        return Sample(self.record.truth, self.scores(protocol), state)


def rows_of(session: Session, records: Sequence[Record], asked: Asked, version: str) -> list[Row]:
    """A row for each record, in their order, by what this model version has answered by now."""
    local, places = LocalTasks(asked.project_id), LocalPlaces(asked.project_id)
    local.look(session)
    identities: dict[str, str] = {}
    for name, item in asked.items.items():
        task = local.find(places.wanted(item))
        if task is not None:
            identities[name] = job_identity(
                asked.project_id, task.number, item.video_ref, item.sentence, version, segment=item.segment
            )
    answered = _jobs(session, identities.values())
    return [_row(one, asked, answered.get(identities.get(one.name, ""))) for one in records]


def _jobs(session: Session, identities: Iterable[str]) -> dict[str, Job]:
    found: dict[str, Job] = {}
    for some in chunks(sorted(set(identities))):
        query = select(Job).where(Job.identity.in_(some))
        for job in session.scalars(query.options(joinedload(Job.prediction).joinedload(Stored.video))):
            found[job.identity] = job
    return found


def _row(record: Record, asked: Asked, job: Job | None) -> Row:
    if record.name not in asked.items:
        return Row(record, MISSING, asked.left_out.get(record.where, "the record cannot be asked"))
    if job is None:
        return Row(record, WAITING)
    if job.state in (jobs.FAILED, jobs.CANCELLED):
        return Row(record, FAILED, job.reason or job.state)
    stored = job.prediction
    if job.state != jobs.DONE or stored is None:
        return Row(record, WAITING)
    truth = record.truth
    tube = expand(keyframes(stored.keyframes)) if stored.keyframes else None
    found = Prediction.of_tube(truth.video, truth.sentence, tube, truth.size, stored.model_version)
    return Row(
        record, NO_TUBE if tube is None else SCORED, "" if tube is not None else "no candidate object", found,
        stored.score, _seconds(stored.timings), (stored.video.width, stored.video.height), stored.video.n_frames,
        stored.evidence_info.get(FEWER_SLOTS),
    )  # fmt: skip


def _seconds(timings: dict[str, Any]) -> float | None:
    total = timings.get("total")
    return float(total) if isinstance(total, (int, float)) else None
