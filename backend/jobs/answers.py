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

from backend.db import jobs, predictions, tasks
from backend.db.engine import TURN, Database, rest
from backend.db.jobs import Question
from backend.db.predictions import Suggestion
from backend.db.segments import Segment, segment_of
from backend.db.tables import Task
from backend.jobs import suggesting
from backend.jobs.box_prompt import drawn_box
from backend.jobs.identity import job_identity, prediction_identity
from backend.jobs.payload import Asked, prediction_body
from backend.jobs.suggesting import Round, Rules, given_of, readable
from backend.labelstudio.asking import DrawnRegion
from backend.labelstudio.config import LabelConfig
from backend.labelstudio.payloads import TaskPayload
from stvg_core.query import normalise_query

URGENT = 100
"""Priority of a question that an annotator waits for."""

_LOOK_S, _LOOK_MOST_S = 0.05, 0.5
"""Pauses between two looks at a job: the first, and how long they grow."""


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

    def for_tasks(
        self, project_id: int, config: LabelConfig, asked: Sequence[TaskPayload], *, begun: Round | None = None
    ) -> list[list[Any]]:
        """One list per task: the prediction, or empty.

        Args:
            begun: what :meth:`look` found for the first of them.
        """
        rules = self._rules(project_id, config)
        found = [] if begun is None else suggesting.answer(self.database, rules, begun)
        began = time.monotonic()
        while len(found) < len(asked):
            if found:  # the threads that answer webhooks share the interpreter with this one
                rest(began)
            began = time.monotonic()
            with self.database.read() as session:
                seen = self.look(session, project_id, config, asked[len(found) :])
            found += suggesting.answer(self.database, rules, seen)
        return found

    def look(self, session: Session, project_id: int, config: LabelConfig, asked: Sequence[TaskPayload]) -> Round:
        """What is known for the first of these tasks; a session that reads other things too can be used for it."""
        return suggesting.look(session, self._rules(project_id, config), _first_round(asked))

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
        task_id = self._remember(project_id, config, payload)
        with self.database.read() as session:
            task = session.get_one(Task, task_id)
            drawn = drawn_box(session, task, regions)
            if drawn is None and sentence is None:
                return self._nothing()
            query = normalise_query(sentence or (drawn.region.sentence if drawn else None) or task.query)
            asked = Asked(query, own=query == readable(task.query)[0])
            if drawn is not None:
                asked = replace(asked, region_id=drawn.region.region_id, label=drawn.region.label)
            prompt = None if drawn is None else drawn.prompt()
            found = self._known(session, task, query, prompt)
        if found is None and task.video_ref:
            found = self._wait(self._ask(task, query, prompt))
        return self._nothing() if found is None else prediction_body(found, config, asked)

    def _remember(self, project_id: int, config: LabelConfig, payload: TaskPayload) -> int:
        """The row of a task; written only where it is not stored as it is now."""
        given = given_of(config, payload)
        with self.database.read() as session:
            known = tasks.known_many(session, project_id, [payload.id]).get(payload.id)
        if known is None or known.become(given, made=False).differs(known):
            with self.database.write() as session:
                known = tasks.remember_many(session, project_id, [given])[payload.id]
        return known.id

    def _known(self, session: Session, task: Task, query: str, prompt: dict[str, Any] | None) -> Suggestion | None:
        """The prediction for a task whose video's content is known already."""
        if task.video is None:
            return None
        identity = prediction_identity(task.video.sha256, query, self.model_version, prompt, _part(task, prompt))
        return predictions.find_many(session, [identity]).get(identity)

    def _ask(self, task: Task, query: str, prompt: dict[str, Any] | None) -> int:
        """The row of the urgent job for a question."""
        project, video, part = task.project_id, task.video_ref, _part(task, prompt)
        identity = job_identity(project, task.ls_task_id, video, query, self.model_version, prompt, part)
        question = Question(
            identity, task.id, project, video, query, self.model_version, deliver=False, priority=URGENT, prompt=prompt,
            segment=part,
        )  # fmt: skip
        with self.database.write() as session:
            job = jobs.enqueue_many(session, [question])[identity]
            if job.state in (jobs.FAILED, jobs.CANCELLED):
                jobs.retry(session, job.id)  # a person asks again: another try
        return job.id

    def _wait(self, job_id: int) -> Suggestion | None:
        if self.waiters is not None and not self.waiters.acquire(blocking=False):
            return None
        try:
            until, pause = time.monotonic() + self.wait_s, _LOOK_S
            while True:
                with self.database.read() as session:
                    state, prediction_id = jobs.how_far(session, job_id)
                    if state == jobs.DONE and prediction_id is not None:
                        return predictions.of_row(session, prediction_id)
                left = until - time.monotonic()
                if state in (jobs.FAILED, jobs.CANCELLED) or left <= 0:
                    return None
                time.sleep(min(pause, left))
                pause = min(pause * 1.5, _LOOK_MOST_S)
        finally:
            if self.waiters is not None:
                self.waiters.release()

    def _rules(self, project_id: int, config: LabelConfig) -> Rules:
        return Rules(project_id, config, self.model_version, self.handout_s, self.pushes)

    def _nothing(self) -> dict[str, Any]:
        return {"result": [], "score": 0.0, "model_version": self.model_version}


def _part(task: Task, prompt: dict[str, Any] | None) -> Segment | None:
    """A sentence is about the task's part of the video; a drawn box is followed wherever it leads."""
    return segment_of(task.data) if prompt is None else None


def _first_round(asked: Sequence[TaskPayload]) -> list[TaskPayload]:
    """As many as are looked up together; a task that is named again belongs into the next round."""
    found: dict[int, TaskPayload] = {}
    for payload in asked[:TURN]:
        if payload.id in found:
            break
        found[payload.id] = payload
    return list(found.values())
