"""A run: work is asked for, annotated and interrupted, round by round; at the end everything is counted.

In each round a person asks for new tasks (two sentences about one video) and saves a correction, while a process is
killed after a random moment. The moments are drawn from the seed; what they meet depends on the machine.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from backend.db.annotations import current
from backend.db.engine import Database
from backend.db.tables import Annotation, Delivery, Event, Job, Task
from tests.chaos.fake import Fake
from tests.chaos.seam import Json, Opening
from tests.chaos.service import Service
from tests.chaos.waiting import Waiting


@dataclass
class Outcome:
    """What was left when all was quiet; ``wrong`` says what is lost, doubled or failed.

    Attributes:
        corrections: saves that Label Studio answered.
        unanswered: saves that it may have done, and was killed or asked too early.
        replied: predictions that Label Studio was given in a reply, at least once; it was told of all others.
        compared: versions of annotations that came by comparing, because no webhook had brought them.
    """

    database: str
    jobs: int
    kills: dict[str, int]
    corrections: int
    seconds: float
    unanswered: int = 0
    replied: int = 0
    compared: int = 0
    wrong: list[str] = field(default_factory=list)

    def summary(self) -> str:
        killed = ", ".join(f"{name} {count}" for name, count in self.kills.items())
        said = "; ".join(self.wrong[:5]) or "every prediction once, every correction kept, no job failed"
        return (
            f"{self.database}: {sum(self.kills.values())} kills ({killed}) over {self.jobs} jobs and "
            f"{self.corrections} saved corrections (and {self.unanswered} unanswered) in {self.seconds:.0f} s, "
            f"{self.replied} predictions given in replies, {self.compared} corrections found by comparing: {said}"
        )


class Run:
    """One run over a migrated, empty database.

    Args:
        seconds: no round begins later than this; it ends with fewer jobs and kills then, and all of them counted.
    """

    def __init__(
        self, folder: Path, database_url: str, *, jobs: int, kills: int, seed: int, opening: Opening = Fake,
        seconds: float = math.inf,
    ) -> None:  # fmt: skip
        self.folder, self.database, self.n_jobs, self.n_kills = folder, Database(database_url), jobs, kills
        self.seconds = seconds
        self.chance, self.person_chance = random.Random(seed), random.Random(seed + 1)
        self.service = Service(folder, database_url, opening)
        self.label_studio = self.service.label_studio
        self.waiting = Waiting(lambda: f"{self.state()}\n{self.service.logs()}")
        self.saves = 0

    def run(self) -> Outcome:
        began = time.monotonic()
        per_round = -(-self.n_jobs // self.n_kills)
        with self.service, ThreadPoolExecutor(1) as person:
            self.service.start(self.waiting)
            numbers = list(range(1, self.n_jobs + 1))
            for first in range(0, self.n_jobs, per_round):
                if time.monotonic() - began > self.seconds:
                    self.n_jobs, self.n_kills = first, sum(self.service.kills.values())
                    break
                self.round(person.submit(self.person_works, numbers[first : first + per_round]))
            while sum(self.service.kills.values()) < self.n_kills:
                self.service.kill_one(self.chance, self.waiting)
            self.waiting.until("all work to end", self.quiet, pause_s=0.5)
            wrong = self.wrong()
        return Outcome(
            self.database.engine.dialect.name, self.n_jobs, self.service.kills, self.saves,
            time.monotonic() - began, self.label_studio.attempts - self.saves, self.replied(), self.compared(), wrong,
        )  # fmt: skip

    def close(self) -> None:
        self.database.close()

    def round(self, person: Future[None]) -> None:
        """One kill, in the middle of what the person does or of what comes of it."""
        if self.chance.random() < 0.5:
            self.waiting.until("something in work", lambda: person.done() or self.in_work())
        time.sleep(self.chance.random() * self.label_studio.span_s)  # not a wait: it chooses the moment
        self.service.kill_one(self.chance, self.waiting)
        person.result()

    def person_works(self, numbers: Sequence[int]) -> None:
        """Ask for new tasks, and correct one that has its prediction."""
        tasks = []
        for number in numbers:
            video = self.folder / "videos" / f"{(number + 1) // 2}.mp4"
            video.write_bytes(f"video {(number + 1) // 2}".encode())
            data = {"video": f"/data/local-files/?d={video.name}", "query": f"the box of task {number}", "fps": 25}
            tasks.append(data)
        self.label_studio.ask_for(tasks, self.asked, self.waiting)
        if there := self.delivered():
            self.label_studio.save(self.person_chance.choice(there), self.saves, self.waiting)
            self.saves += 1

    def asked(self, ls_task_ids: Sequence[int]) -> bool:
        wanted = select(Task.ls_task_id).join(Job, Job.task_id == Task.id).where(Task.ls_task_id.in_(ls_task_ids))
        with self.database.read() as session:
            return set(session.scalars(wanted)) == set(ls_task_ids)

    def delivered(self) -> list[int]:
        """Label Studio's numbers of the tasks whose prediction is there."""
        there = select(Task.ls_task_id).join(Delivery, Delivery.task_id == Task.id).where(Delivery.state == "delivered")
        with self.database.read() as session:
            return sorted(session.scalars(there))

    def counts(self, table: Any) -> Counter[str]:
        with self.database.read() as session:
            rows = session.execute(select(table.state, func.count()).group_by(table.state)).tuples()
            return Counter(dict(rows.all()))

    def state(self) -> str:
        found = {table.__tablename__: dict(self.counts(table)) for table in (Job, Delivery, Event)}
        return json.dumps(found | {"kept": len(self.kept()), "saved": len(self.label_studio.saved)})

    def in_work(self) -> bool:
        """Is something held now?"""
        return self.counts(Job)["running"] + self.counts(Delivery)["sending"] + self.counts(Event)["reading"] > 0

    def quiet(self) -> bool:
        """No row is open, and what Label Studio holds is what counts here: nothing else is on its way."""
        jobs, deliveries, events = self.counts(Job), self.counts(Delivery), self.counts(Event)
        open_jobs = jobs["queued"] + jobs["running"]
        open_rows = deliveries["pending"] + deliveries["sending"] + events["new"] + events["reading"]
        if open_jobs or open_rows or len(self.kept()) < len(self.label_studio.saved):
            return False
        return self.here() == self.label_studio.annotations(self.waiting)

    def here(self) -> dict[int, list[Json]]:
        """The version of each annotation that counts."""
        with self.database.read() as session:
            return {row.ls_annotation_id: row.result for row in current(session)}

    def kept(self) -> set[int]:
        """Annotations whose version that counts is the one that was saved last."""
        here = self.here()
        return {number for number, result in self.label_studio.saved.items() if here.get(number) == result}

    def replied(self) -> int:
        with self.database.read() as session:
            return session.scalar(select(func.count()).where(Delivery.handed_at.is_not(None))) or 0

    def compared(self) -> int:
        with self.database.read() as session:
            return session.scalar(select(func.count()).where(Annotation.event_id.is_(None))) or 0

    def wrong(self) -> list[str]:
        per_task = self.label_studio.predictions(self.waiting)
        found: list[str] = []
        with self.database.read() as session:
            here = set(session.scalars(select(Task.ls_task_id)))
            if here != per_task.keys() or len(here) != self.n_jobs:
                found.append(f"{self.n_jobs} tasks were made: {len(per_task)} are there and {len(here)} here")
            found += [f"task {number} has {count} predictions" for number, count in per_task.items() if count != 1]
            for job in session.scalars(select(Job).where(Job.state != "done")):
                found.append(f"job {job.id} is {job.state}: {job.reason}")
            for delivery in session.scalars(select(Delivery).where(Delivery.state == "failed")):
                found.append(f"delivery {delivery.id} failed: {delivery.reason}")
            for event in session.scalars(select(Event).where(Event.state.in_(("failed", "unknown_project")))):
                found.append(f"event {event.id} is {event.state}: {event.reason}")
            made = session.scalar(select(func.count()).select_from(Job))
            versions = session.scalar(select(func.count()).select_from(Annotation)) or 0
        found += [f"{made} jobs were made for {self.n_jobs} tasks"] if made != self.n_jobs else []
        lost = len(self.label_studio.saved) - len(self.kept())
        found += [f"{lost} corrections are lost"] if lost else []
        most = self.label_studio.attempts
        found += [f"{versions} versions of {most} saves"] if versions > most else []
        return found
