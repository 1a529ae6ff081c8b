"""The real Label Studio of a run, from ``.venv-ls``. It is asked by its API for what a person's browser asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from backend.demo import annotator
from backend.demo.label_studio import LabelStudioServer
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.transport import LabelStudioError
from tests.chaos.seam import Asked, Connection, Json
from tests.chaos.waiting import Waiting

PROGRAM = Path(__file__).parents[2] / ".venv-ls" / "bin" / "label-studio"
TITLE = "chaos"
_PRESS_S = 0.5
"""Between two presses of a button that did nothing."""


class Real:
    """See :class:`tests.chaos.seam.LabelStudio`."""

    span_s = 3.0

    def __init__(self, folder: Path, connection: Connection) -> None:
        # Longer than Label Studio needs for a request: a late answer is not taken for none.
        self.settings = {"STVG_LEASE_SECONDS": "10", "STVG_RECONCILE_SECONDS": "10", "STVG_HANDOUT_SECONDS": "30"}
        self._server = LabelStudioServer(PROGRAM, folder / "label-studio", document_root=folder / "videos")
        self.url, self.token, self.child = self._server.url, self._server.token, self._server.child
        self._client = LabelStudioClient(self.url, self.token, timeout=120.0)
        self._project = self._last = 0
        self.attempts, self.saved, self._of_task = 0, dict[int, list[Json]](), dict[int, int]()

    def start(self) -> None:
        self._server.start(900.0)

    def connect(self, stvg: Callable[..., None]) -> None:
        stvg("connect", "--project", TITLE)
        (found,) = self._client.projects(title=TITLE)
        self._project = int(found["id"])

    def ready(self) -> bool:
        return self._server.healthy()

    def ask_for(self, tasks: Sequence[Json], asked: Asked, waiting: Waiting) -> None:
        """Import, press "Retrieve Predictions" until our service has the question, and open one of the tasks."""
        numbers = self._imported(tasks, waiting)
        waiting.until("the questions", lambda: self._retrieved(numbers) and asked(numbers), pause_s=_PRESS_S)
        self._opened(numbers[-1], waiting)

    def _imported(self, tasks: Sequence[Json], waiting: Waiting) -> list[int]:
        """Who is not answered looks which of them are there. The kill ended whatever was importing them."""
        there: dict[str, int] = {}

        def done() -> bool:
            for task in self._client.tasks(self._project, fields="task_only", after=self._last):
                there[task["data"]["query"]] = int(task["id"])
            missing = [data for data in tasks if data["query"] not in there]
            if missing:
                self._client.import_tasks(self._project, missing)
            return not missing

        waiting.until("tasks", lambda: _tried(done), pause_s=0.0)
        self._last = max(there.values())
        return [there[data["query"]] for data in tasks]

    def _retrieved(self, numbers: Sequence[int]) -> bool:
        return _tried(lambda: bool(self._client.retrieve_predictions(self._project, numbers)))

    def _opened(self, task: int, waiting: Waiting) -> None:
        """Its page; Label Studio asks our service in it for a prediction that it does not have."""
        waiting.until("the page", lambda: _tried(lambda: bool(annotator.open_task(self._client, task))))

    def save(self, task: int, version: int, waiting: Waiting) -> None:
        """Open the task, take the prediction over, move it, submit; or update what was submitted."""
        self._opened(task, waiting)
        waiting.until("the save", lambda: _tried(lambda: self._saved(task, version)))

    def _saved(self, task: int, version: int) -> bool:
        prediction = self._client.predictions(task)[0]
        shift = 0.001 * (version + 1)  # no save has the same boxes as another
        result = annotator.corrected(prediction["result"], cut=version % 7, shift=shift)
        number = self._of_task.get(task)
        self.attempts += 1
        if number is None:
            made = self._client.create_annotation(task, result, parent_prediction=prediction["id"], lead_time=9.3)
        else:
            made = self._client.update_annotation(number, result, lead_time=21.0)
        self._of_task[task] = number = int(made["id"])
        self.saved[number] = made["result"]
        return True

    def predictions(self, waiting: Waiting) -> dict[int, int]:
        found: list[Json] = waiting.until_answered(
            "the predictions", "GET", f"{self.url}/api/predictions/", params={"task__project": self._project},
            headers={"Authorization": f"Token {self.token}"}, timeout=300,
        )  # fmt: skip
        per_task = Counter(int(one["task"]) for one in found)
        return {int(task["id"]): per_task[int(task["id"])] for task in self._tasks(waiting)}

    def annotations(self, waiting: Waiting) -> dict[int, list[Json]]:
        return {int(one["id"]): one["result"] for task in self._tasks(waiting) for one in task["annotations"]}

    def _tasks(self, waiting: Waiting) -> list[Json]:
        found: list[Json] = []

        def listed() -> bool:
            found[:] = self._client.tasks(self._project)
            return True

        waiting.until("the tasks", lambda: _tried(listed))
        return found


def _tried(call: Callable[[], bool]) -> bool:
    """False where Label Studio is away, was killed before it answered, or refuses."""
    try:
        return call()
    except LabelStudioError:
        return False
