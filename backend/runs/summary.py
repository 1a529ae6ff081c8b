"""What came of a run? For a person, and for a program as ``summary.json``."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from backend.addresses import without_secrets
from backend.db import jobs, runs
from backend.db.reasons import Failure, grouped
from backend.runs.enqueue import Enqueued
from stvg_core.errors import StvgError
from stvg_core.text import printable

_BEST = (jobs.DONE, jobs.RUNNING, jobs.QUEUED, jobs.FAILED, jobs.CANCELLED)
"""Which job speaks for a sentence that was asked twice."""


@dataclass(frozen=True)
class Reason:
    """Failures of one kind, and one of them."""

    number: int
    example: str


@dataclass
class Summary:
    """What came of a run: the sentences of its source, whoever grounded them and whenever.

    Attributes:
        project, project_id, model_version: of the tasks.
        items: sentences of the source (and share) that can be asked.
        done, failed, cancelled, waiting: how many of them are so by now.
        failures: by kind of reason.
        left_out: records of the source that cannot be used, likewise.
        published: of the items, those that went to a Label Studio project before.
        replaced: answered before about a file that is another one by now, and asked again.
        not_in_source: tasks of the local project that this source does not have, or not any more; exports have them.
        other_version: done, but the task's suggestion is that of another model version, which was asked later.
        seconds: of this run; ``done_now``: sentences of the source that ended well in it; ``rate``: of all sentences of
            the project that ended in one second, by whichever run.
        restarts: of workers that ended too early.
        interrupted: the run was stopped before its end.
    """

    source: str
    project: str
    project_id: int
    model_version: str
    items: int = 0
    new: int = 0
    tried_again: int = 0
    replaced: int = 0
    published: int = 0
    beyond_limit: int = 0
    elsewhere: int = 0
    repeated: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    waiting: int = 0
    not_in_source: int = 0
    other_version: int = 0
    failures: dict[str, Reason] = field(default_factory=dict)
    left_out: dict[str, Reason] = field(default_factory=dict)
    seconds: float = 0.0
    done_now: int = 0
    rate: float | None = None
    restarts: int = 0
    interrupted: bool = False

    @property
    def complete(self) -> bool:
        """Nothing failed or was cancelled, and no record was left out."""
        return not self.failed and not self.cancelled and not self.left_out

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def sentences(self) -> list[str]:
        """For a person."""
        said = [f"{self.done} of {self.items} sentences are grounded in {self.project}"]
        if self.done_now:
            said[0] += f", {self.done_now} of them now, in {self.seconds:.0f} s"
            said[0] += f" ({self.rate:.2f} a second)" if self.rate else ""
        for number, what in (
            (self.waiting, "are waiting"), (self.published, "lie in Label Studio by now"),
            (self.beyond_limit, "new ones are left for another run (--limit)"),
            (self.elsewhere, "belong to other shares"), (self.repeated, "records repeat another one"),
            (self.cancelled, "were cancelled"),
            (self.replaced, "are asked again: their video is another file by now"),
            (self.other_version, "have a newer suggestion of another model version, and that is exported"),
            (self.not_in_source, "more tasks of the project are not in this source (any more); exports have them"),
        ):  # fmt: skip
            if number:
                said.append(f"{number} {what}")
        said += [f"failed, {one.number}: {kind} For example: {one.example}" for kind, one in self.failures.items()]
        said += [f"left out, {one.number}: {kind}. For example: {one.example}" for kind, one in self.left_out.items()]
        return said


def summarise(session: Session, summary: Summary, enqueued: Enqueued) -> None:
    """Fill in how the source's sentences stand now. A sentence that failed once and was answered later is done."""
    summary.items, summary.new, summary.tried_again = enqueued.items, enqueued.queued, enqueued.again
    summary.replaced = enqueued.replaced
    summary.published, summary.beyond_limit = enqueued.published, enqueued.beyond_limit
    summary.elsewhere, summary.repeated = enqueued.elsewhere, enqueued.repeated
    best: dict[int, runs.Ended] = {}
    for one in runs.all_of(session, summary.project_id, summary.model_version):
        known = best.get(one.task_id)
        if one.task_id in enqueued.tasks and (known is None or _BEST.index(one.state) <= _BEST.index(known.state)):
            best[one.task_id] = one
    states = Counter(one.state for one in best.values())
    failed = {one.job_id: one for one in best.values() if one.state == jobs.FAILED}
    kinds = grouped(Failure(one.reason, 1, one.job_id, one.video_ref) for one in failed.values())
    often = sorted(kinds.items(), key=lambda kind: -len(kind[1]))
    summary.done, summary.failed = states[jobs.DONE], states[jobs.FAILED]
    summary.cancelled, summary.waiting = states[jobs.CANCELLED], states[jobs.QUEUED] + states[jobs.RUNNING]
    summary.other_version = sum(
        best[number].state == jobs.DONE
        for number in runs.of_other_versions(session, summary.project_id, summary.model_version)
        if number in best
    )
    if summary.project_id < 0 and not enqueued.elsewhere:
        summary.not_in_source = len(runs.tasks_of(session, summary.project_id) - enqueued.tasks)
    summary.failures = {kind: Reason(len(alike), _example(failed[alike[0].newest])) for kind, alike in often}
    summary.left_out = {
        kind: Reason(number, enqueued.examples[kind]) for kind, number in enqueued.left_out.most_common()
    }


def _example(one: runs.Ended) -> str:
    video = one.video_ref if one.video_ref.startswith("/") else without_secrets(one.video_ref)
    return f"job {one.job_id}, {video}, {one.query!r}: {one.reason}"


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write it so that whoever reads the file finds all of it or what was there before. Raises StvgError."""
    text = printable(json.dumps(content, ensure_ascii=False, indent=1)) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=path.name, suffix=".part", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(part).chmod(0o644)
            Path(part).replace(path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StvgError(f"{path} cannot be written: {error.strerror}.") from None
