"""What does ``/predict`` answer for these tasks?

A prediction that is known is given to the first of several simultaneous callers; for one that is not, one job is
queued and the answer is "nothing yet", in the shape that makes Label Studio store nothing. An annotator's own question
waits a little for its tube.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Semaphore
from typing import Any

from sqlalchemy.orm import Session

from backend.db import deliveries, jobs, predictions, tasks
from backend.db.engine import Database
from backend.db.tables import Job, Prediction, Task
from backend.jobs.drawn import drawn_box
from backend.jobs.identity import job_identity, prediction_identity
from backend.jobs.payload import Asked, prediction_body
from backend.labelstudio.asking import DrawnRegion
from backend.labelstudio.config import LabelConfig
from backend.labelstudio.payloads import TaskPayload
from stvg_core.errors import QueryError
from stvg_core.query import normalise_query

URGENT = 100
"""Priority of a question that an annotator waits for."""

_LOOK_S = 0.1
_BATCH = 50
"""Tasks per transaction: a whole project comes in one call, and SQLite has one writer at a time."""


@dataclass
class Answers:
    """Answers ``/predict``.

    Attributes:
        model_version: what new jobs are for.
        handout_s: for so long a prediction given away is not given again.
        wait_s: an annotator's question waits at most so long.
        pushes: a worker also pushes to Label Studio, so a task without its frame rate can be left to it.
        waiters: how many questions may wait at once; further ones are answered empty at once.
    """

    database: Database
    model_version: str
    handout_s: float = 120.0
    wait_s: float = 20.0
    pushes: bool = True
    waiters: Semaphore | None = None

    def for_tasks(self, project_id: int, config: LabelConfig, asked: tuple[TaskPayload, ...]) -> list[list[Any]]:
        """One list per task: the prediction, or empty."""
        found: list[list[Any]] = []
        for first in range(0, len(asked), _BATCH):
            with self.database.write() as session:
                batch = asked[first : first + _BATCH]
                found += [self._for_task(session, project_id, config, payload) for payload in batch]
        return found

    def _for_task(
        self, session: Session, project_id: int, config: LabelConfig, payload: TaskPayload
    ) -> list[dict[str, Any]]:
        task = _remember(session, project_id, config, payload)
        query, reason = _readable(task.query)
        if query is not None and task.video_ref:
            found = self._known(session, task, query)
            if found is not None:
                return self._hand_out(session, task, found, config)
        job, created = self._enqueue(session, task, query or task.query.strip(), deliver=True, priority=0)
        if created and (reason or not task.video_ref):
            jobs.refuse(session, job, reason or f'The task has no video: its data needs "{config.video_key}".')
        elif job.state == "done" and job.prediction_id is not None:
            # Answered before as an annotator's question: now the task itself is owed the prediction.
            deliveries.owe(session, job.prediction_id, task.id)
        return []

    def _hand_out(
        self, session: Session, task: Task, prediction: Prediction, config: LabelConfig
    ) -> list[dict[str, Any]]:
        if self.pushes and not config.has_frame_rate(task.data):
            deliveries.owe(session, prediction.id, task.id)  # the push writes the frame rate first
            return []
        if deliveries.hand_out(session, prediction.id, task.id, window_s=self.handout_s):
            return [prediction_body(prediction, config)]
        return []

    def for_question(
        self, project_id: int, config: LabelConfig, payload: TaskPayload, sentence: str | None,
        regions: Sequence[DrawnRegion] = (),
    ) -> dict[str, Any]:  # fmt: skip
        """The tube for what an annotator typed or drew, empty where it does not come in time.

        Args:
            sentence: typed; None takes the drawn region's own, else the task's.
            regions: those sent along; a box drawn or dragged in one of them is followed, and the answer takes that
                region's place. Without such a box (somebody changed a label) the answer is empty.

        Raises:
            QueryError: the sentence cannot be used.
        """
        with self.database.write() as session:
            task = _remember(session, project_id, config, payload)
            drawn = drawn_box(session, task, regions)
            if drawn is None and sentence is None:
                return self._nothing()
            query = normalise_query(sentence or (drawn.region.sentence if drawn else None) or task.query)
            asked = Asked(query, own=query == _readable(task.query)[0])
            if drawn is not None:
                asked = replace(asked, region_id=drawn.region.region_id, label=drawn.region.label)
            prompt = None if drawn is None else drawn.prompt()
            found = self._known(session, task, query, prompt)
            if found is not None:
                return prediction_body(found, config, asked)
            if not task.video_ref:
                return self._nothing()
            job, _ = self._enqueue(session, task, query, deliver=False, priority=URGENT, prompt=prompt)
            if job.state == "failed":
                jobs.retry(session, job.id)  # a person asks again: another try
            job_id = job.id
        prediction = self._wait(job_id)
        return self._nothing() if prediction is None else prediction_body(prediction, config, asked)

    def _wait(self, job_id: int) -> Prediction | None:
        if self.waiters is not None and not self.waiters.acquire(blocking=False):
            return None
        try:
            until = time.monotonic() + self.wait_s
            while True:
                with self.database.read() as session:
                    job = session.get_one(Job, job_id)
                    if job.state == "failed":
                        return None
                    if job.state == "done" and job.prediction is not None:
                        assert job.prediction.video is not None  # loaded before the session closes
                        return job.prediction
                if time.monotonic() >= until:
                    return None
                time.sleep(_LOOK_S)
        finally:
            if self.waiters is not None:
                self.waiters.release()

    def _known(
        self, session: Session, task: Task, query: str, prompt: dict[str, Any] | None = None
    ) -> Prediction | None:
        """The prediction for a task whose video's content is known already."""
        if task.video is None:
            return None
        return predictions.find(session, prediction_identity(task.video.sha256, query, self.model_version, prompt))

    def _enqueue(
        self, session: Session, task: Task, query: str, *, deliver: bool, priority: int,
        prompt: dict[str, Any] | None = None,
    ) -> tuple[Job, bool]:  # fmt: skip
        return jobs.enqueue(
            session,
            identity=job_identity(task.project_id, task.ls_task_id, task.video_ref, query, self.model_version, prompt),
            task_id=task.id,
            video_ref=task.video_ref,
            query=query,
            model_version=self.model_version,
            deliver=deliver,
            priority=priority,
            prompt=prompt,
        )

    def _nothing(self) -> dict[str, Any]:
        return {"result": [], "score": 0.0, "model_version": self.model_version}


def _remember(session: Session, project_id: int, config: LabelConfig, payload: TaskPayload) -> Task:
    return tasks.remember(
        session,
        project_id=project_id,
        ls_task_id=payload.id,
        video_ref=config.video_of(payload.data),
        query=config.query_of(payload.data),
        data=payload.data,
    )


def _readable(query: str) -> tuple[str | None, str | None]:
    """The normalised sentence, or why there is none."""
    try:
        return normalise_query(query), None
    except QueryError as error:
        return None, str(error)
