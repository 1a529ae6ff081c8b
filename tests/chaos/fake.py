"""The fake Label Studio of a run. The run itself asks our service, as Label Studio does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from backend.processes import Child, free_port
from tests.chaos.seam import Asked, Connection, Json
from tests.chaos.waiting import Waiting, ask
from tests.chaos.worker import ANSWER_S
from tests.db.helpers import CONFIG

_ROOT = Path(__file__).parents[2]
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Fake:
    """``tests.chaos.label_studio`` in a process; see :class:`tests.chaos.seam.LabelStudio`."""

    token = "0123456789abcdef0123456789abcdef01234567"
    span_s = 2 * ANSWER_S

    def __init__(self, folder: Path, connection: Connection) -> None:
        # A prediction in a reply is not pushed before it can have been kept: after two requests of ten seconds.
        self.settings = {"STVG_LEASE_SECONDS": "4", "STVG_RECONCILE_SECONDS": "5", "STVG_HANDOUT_SECONDS": "25"}
        port = free_port()
        self.url, self._connection = f"http://127.0.0.1:{port}", connection
        self._log_in = (connection.username, connection.password)
        self.attempts, self.saved, self._numbers = 0, dict[int, list[Json]](), 0
        hook = (f"{connection.url}/webhook", connection.webhook_token)
        self.child = Child(
            "Label Studio",
            [sys.executable, "-m", "tests.chaos.label_studio", str(port), str(folder / "journal"), *hook],
            log=folder / "Label-Studio.log", env={"PYTHONPATH": str(_ROOT)}, cwd=folder,
        )  # fmt: skip

    def start(self) -> None:
        self.child.start()

    def connect(self, stvg: Callable[..., None]) -> None:
        """Its only project is there; our service learns of it as from the real one."""
        body = {"project": "1.0", "schema": CONFIG, "hostname": self.url}
        httpx.post(f"{self._connection.url}/setup", json=body, auth=self._log_in, trust_env=False).raise_for_status()

    def ready(self) -> bool:
        answer = ask("GET", f"{self.url}/api/projects/1/")
        return answer is not None and answer.status_code == 200

    def ask_for(self, tasks: Sequence[Json], asked: Asked, waiting: Waiting) -> None:
        imported = [{"id": self._numbers + at, "data": data} for at, data in enumerate(tasks, start=1)]
        self._numbers += len(tasks)
        waiting.until_answered("tasks", "POST", f"{self.url}/chaos/tasks", json=imported)
        waiting.until("the questions", lambda: self._predicted(imported, waiting))

    def _predicted(self, imported: Sequence[Json], waiting: Waiting) -> bool:
        """Ask for those that have no prediction yet, as the real one does, and keep what is in the reply."""
        missing = []
        for task in imported:
            url = f"{self.url}/api/predictions/?task={task['id']}"
            if not waiting.until_answered("the predictions", "GET", url):
                missing.append(task)
        if not missing:
            return True
        body = {"tasks": missing, "project": "1.0", "label_config": CONFIG, "params": {}}
        answer = ask("POST", f"{self._connection.url}/predict", json=body, auth=self._log_in)
        if answer is None or answer.status_code >= 400:
            return False
        told = answer.json()
        for task, found in zip(missing, told["results"], strict=True):
            for one in found:
                kept = {"task": task["id"], "model_version": told["model_version"], **one}
                ask("POST", f"{self.url}/api/predictions/", json=kept)
        return True

    def save(self, task: int, version: int, waiting: Waiting) -> None:
        place = {"x": 10 + version % 40, "y": 20, "width": 15, "height": 30, "rotation": 0}
        sequence = [{"frame": frame, "enabled": frame < 20, "time": frame / 25, **place} for frame in (6, 20)]
        value = {"framesCount": 50, "duration": 2, "labels": ["Target"], "sequence": sequence}
        region = {"id": f"R{version}", "from_name": "box", "to_name": "video", "type": "videorectangle", "value": value}
        annotation = {
            "id": 1000 + task, "task": task, "result": [region], "completed_by": 4, "lead_time": 9.3,
            "was_cancelled": False, "parent_prediction": None, "created_at": _EPOCH.isoformat(),
            "updated_at": (_EPOCH + timedelta(seconds=version)).isoformat(),
        }  # fmt: skip
        self.attempts += 1  # pressed again it is the same saved state
        waiting.until_answered("the save", "POST", f"{self.url}/chaos/annotations", json=annotation)
        self.saved[1000 + task] = [region]

    def predictions(self, waiting: Waiting) -> dict[int, int]:
        return {task["id"]: len(task["predictions"]) for task in self._tasks(waiting)}

    def annotations(self, waiting: Waiting) -> dict[int, list[Json]]:
        return {one["id"]: one["result"] for task in self._tasks(waiting) for one in task["annotations"]}

    def _tasks(self, waiting: Waiting) -> list[Json]:
        found: list[Json] = waiting.until_answered("the tasks", "GET", f"{self.url}/api/tasks/")["tasks"]
        return found
