"""What does a saved annotation want to know of its video? Its wishes become jobs in the background.

A box whose end was set on the timeline is followed to it; a box that was drawn alone is followed to the ends of the
sentence's action and offered on the review page. Neither is ever written into somebody's annotation: the first changes
the tube that is read from it, the second is only shown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from backend.annotations.objects import normal
from backend.annotations.wish import Wish, wishes
from backend.db import jobs
from backend.db.tables import Annotation, Job, Task

PRIORITY = 10
"""Before the suggestions of a whole project, after a question that an annotator waits for."""

NO_VERSION = ""
"""Such a job is for whichever model a worker has."""


@dataclass(frozen=True)
class Wished:
    """A wish and the job that looks for it; None where there is none (its sentence cannot be asked)."""

    wish: Wish
    job: Job | None


def ask_for(session: Session, annotation: Annotation) -> int:
    """Queue a job for each wish of a version; one that is there already stays as it is. Returns how many are new."""
    return ask(session, wanted(annotation))


def wanted(annotation: Annotation) -> list[dict[str, Any]]:
    """The jobs that a version wants, as :func:`ask` takes them; the version need not be stored yet."""
    task, found = annotation.task, []
    if task is None or not task.video_ref or annotation.deleted or annotation.was_cancelled:
        return []
    for entry, wish in wishes(annotation.tubes):
        query = _sentence(task, entry, wish)
        if query is not None:
            prompt = {**wish.to_json(), "label": entry.get("label"), "wish": wish.key}
            about = {"task_id": task.id, "video_ref": task.video_ref, "query": query}
            found.append({"identity": _identity(task, query, wish), **about, "prompt": prompt})
    return found


def ask(session: Session, jobs_: Sequence[dict[str, Any]]) -> int:
    """Queue these jobs in a fixed order, so that nobody waits for each other; returns how many are new."""
    made = 0
    for one in sorted(jobs_, key=lambda one: str(one["identity"])):
        _, created = jobs.enqueue(session, **one, model_version=NO_VERSION, deliver=False, priority=PRIORITY)
        made += created
    return made


def of_annotation(session: Session, annotation: Annotation) -> list[Wished]:
    """What a version wants, and how far each is."""
    task, found = annotation.task, []
    for entry, wish in wishes(annotation.tubes) if task is not None else []:
        assert task is not None
        query = _sentence(task, entry, wish)
        found.append(Wished(wish, None if query is None else jobs.find(session, _identity(task, query, wish))))
    return found


def wish_of(job: Job) -> Wish | None:
    """The wish that a job is for, None for a question that somebody asked."""
    prompt = job.prompt
    return None if prompt is None or "wish" not in prompt else Wish.from_json(prompt)


def _identity(task: Task, query: str, wish: Wish) -> str:
    """64 hex digits, whatever the model. Where an object is does not depend on the sentence, when it acts does."""
    asked = query if wish.offer else ""
    content = ["wish", task.project_id, task.ls_task_id, task.video_ref, asked, wish.key]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _sentence(task: Task, entry: Mapping[str, Any], wish: Wish) -> str | None:
    """What the box is about; None where an answer is to be offered and the sentence cannot be asked."""
    sentence = normal(str(entry.get("sentence") or task.query))
    return sentence if sentence or wish.offer else ""
