"""A run: work is asked for, annotated and interrupted, round by round; at the end everything is counted.

Each round asks for new tasks (two sentences about one video), saves a correction, waits until something is in work and
kills a process after a random moment. The moments are drawn from the seed; what they meet depends on the machine.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from backend.db import annotations, projects
from backend.db.engine import Database
from backend.db.tables import Annotation, Delivery, Event, Job, Task
from tests.chaos.service import PASSWORD, USER, Service, ask
from tests.chaos.worker import ANSWER_S
from tests.db.helpers import CONFIG

PATIENCE_S = 600.0
"""Ends what waits in vain."""
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Outcome:
    """What was left when all was quiet; ``wrong`` says what is lost, doubled or failed."""

    database: str
    jobs: int
    kills: dict[str, int]
    corrections: int
    seconds: float
    wrong: list[str] = field(default_factory=list)

    def summary(self) -> str:
        killed = ", ".join(f"{name} {count}" for name, count in self.kills.items())
        said = "; ".join(self.wrong[:5]) or "every prediction once, every correction kept, no job failed"
        return (
            f"{self.database}: {sum(self.kills.values())} kills ({killed}) over {self.jobs} jobs and "
            f"{self.corrections} saved corrections in {self.seconds:.0f} s: {said}"
        )


class Run:
    """One run over a migrated, empty database."""

    def __init__(self, folder: Path, database_url: str, *, jobs: int, kills: int, seed: int) -> None:
        self.folder, self.database, self.n_jobs, self.n_kills = folder, Database(database_url), jobs, kills
        self.chance = random.Random(seed)
        self.service = Service(folder, database_url)
        self.saved: dict[int, dict[str, Any]] = {}
        self.saves = 0

    def run(self) -> Outcome:
        began = time.monotonic()
        with self.database.write() as session:
            projects.register(session, 1, CONFIG)
        per_round = -(-self.n_jobs // self.n_kills)
        with self.service:
            numbers = list(range(1, self.n_jobs + 1))
            for first in range(0, self.n_jobs, per_round):
                self.ask_for(numbers[first : first + per_round])
                self.correct_one()
                self.wait("something in work", self.in_work)
                time.sleep(self.chance.random() * 2 * ANSWER_S)  # not a wait: it chooses the moment
                self.service.kill_one(self.chance, self.wait)
            while sum(self.service.kills.values()) < self.n_kills:
                self.service.kill_one(self.chance, self.wait)
            self.wait("all work to end", self.quiet)
            pushed = self.predictions()
        wrong = self.wrong(pushed)
        return Outcome(
            self.database.engine.dialect.name, self.n_jobs, self.service.kills, self.saves,
            time.monotonic() - began, wrong,
        )  # fmt: skip

    def close(self) -> None:
        self.database.close()

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < until, f"in vain: {what}\n{self.state()}\n{self.service.logs()}"
            time.sleep(0.05)

    def until_answered(self, what: str, method: str, url: str, **content: Any) -> Any:
        """Ask until it answers well, as a person does who presses the button again."""
        answers: list[Any] = []

        def answered() -> bool:
            found = ask(method, url, **content)
            if found is None or found.status_code >= 400:
                return False
            answers.append(found.json())
            return True

        self.wait(what, answered)
        return answers[0]

    def ask_for(self, numbers: list[int]) -> None:
        """Import tasks into Label Studio, which asks for predictions and keeps those that are in the reply."""
        tasks = []
        for number in numbers:
            video = self.folder / "videos" / f"{(number + 1) // 2}.mp4"
            video.write_bytes(f"video {(number + 1) // 2}".encode())
            data = {"video": f"/data/local-files/?d={video.name}", "query": f"the box of task {number}", "fps": 25}
            tasks.append({"id": number, "data": data})
        self.until_answered("tasks", "POST", f"{self.service.label_studio_url}/chaos/tasks", json=tasks)
        body = {"tasks": tasks, "project": "1.0", "label_config": CONFIG, "params": {}}
        url = f"{self.service.url}/predict"
        answer = self.until_answered("predictions", "POST", url, json=body, auth=(USER, PASSWORD))
        for number, found in zip(numbers, answer["results"], strict=True):
            for one in found if isinstance(found, list) else [found]:
                if one.get("result"):
                    kept = {"task": number, "model_version": answer["model_version"], **one}
                    ask("POST", f"{self.service.label_studio_url}/api/predictions/", json=kept)

    def correct_one(self) -> None:
        """A person saves an annotation of a task whose prediction is there, or saves one again."""
        with self.database.read() as session:
            there = select(Task.ls_task_id).join(Delivery, Delivery.task_id == Task.id)
            found = sorted(session.scalars(there.where(Delivery.state == "delivered")))
        if not found:
            return
        number = self.chance.choice(found)
        moment = (_EPOCH + timedelta(seconds=self.saves)).isoformat()
        version = self.saves
        place = {"x": 10 + version % 40, "y": 20, "width": 15, "height": 30, "rotation": 0}
        sequence = [{"frame": frame, "enabled": frame < 20, "time": frame / 25, **place} for frame in (6, 20)]
        value = {"framesCount": 50, "duration": 2, "labels": ["Target"], "sequence": sequence}
        region = {"id": f"R{version}", "from_name": "box", "to_name": "video", "type": "videorectangle", "value": value}
        annotation = {
            "id": 1000 + number, "task": number, "result": [region], "completed_by": 4, "lead_time": 9.3,
            "was_cancelled": False, "parent_prediction": None, "created_at": _EPOCH.isoformat(), "updated_at": moment,
        }  # fmt: skip
        url = f"{self.service.label_studio_url}/chaos/annotations"
        self.until_answered("the save", "POST", url, json=annotation)
        self.saved[annotation["id"]] = annotation  # type: ignore[index]
        self.saves += 1

    def counts(self, table: Any) -> Counter[str]:
        with self.database.read() as session:
            rows = session.execute(select(table.state, func.count()).group_by(table.state)).tuples()
            return Counter(dict(rows.all()))

    def state(self) -> str:
        found = {table.__tablename__: dict(self.counts(table)) for table in (Job, Delivery, Event)}
        return json.dumps(found | {"kept": len(self.kept()), "saved": len(self.saved)})

    def in_work(self) -> bool:
        """Something is held now, or nothing is left to wait for."""
        held = self.counts(Job)["running"] + self.counts(Delivery)["sending"] + self.counts(Event)["reading"]
        return held > 0 or self.counts(Job)["queued"] == 0

    def quiet(self) -> bool:
        jobs, deliveries, events = self.counts(Job), self.counts(Delivery), self.counts(Event)
        open_jobs = jobs["queued"] + jobs["running"]
        open_rows = deliveries["pending"] + deliveries["sending"] + events["new"] + events["reading"]
        kept = self.kept()
        return not open_jobs and not open_rows and all(number in kept for number in self.saved)

    def kept(self) -> set[int]:
        """Annotations whose version that counts is the one that was saved last."""
        with self.database.read() as session:
            rows = {row.ls_annotation_id: row.result for row in annotations.current(session)}
        return {number for number, one in self.saved.items() if rows.get(number) == one["result"]}

    def predictions(self) -> list[dict[str, Any]]:
        url = f"{self.service.label_studio_url}/api/tasks/"
        listed = self.until_answered("the tasks", "GET", url)
        return [one for task in listed["tasks"] for one in task["predictions"]]

    def wrong(self, pushed: list[dict[str, Any]]) -> list[str]:
        per_task = Counter(one["task"] for one in pushed)
        found = [f"task {number} has {per_task[number]} predictions" for number in range(1, self.n_jobs + 1)]
        found = [said for said in found if not said.endswith(" has 1 predictions")]
        with self.database.read() as session:
            for job in session.scalars(select(Job).where(Job.state != "done")):
                found.append(f"job {job.id} is {job.state}: {job.reason}")
            for table in (Delivery, Event):
                for row in session.scalars(select(table).where(table.state == "failed")):
                    found.append(f"{table.__tablename__} {row.id} failed: {row.reason}")
            made = session.scalar(select(func.count()).select_from(Job))
            versions = session.scalar(select(func.count()).select_from(Annotation)) or 0
        found += [f"{made} jobs were made for {self.n_jobs} tasks"] if made != self.n_jobs else []
        lost = len(self.saved) - len(self.kept())
        found += [f"{lost} corrections are lost"] if lost else []
        found += [f"{versions} versions of {self.saves} saves"] if versions > self.saves else []
        return found
