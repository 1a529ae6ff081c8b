"""What a run needs of a Label Studio, be it the fake or the real one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from backend.processes import Child
from tests.chaos.waiting import Waiting

Json = dict[str, Any]
Asked = Callable[[Sequence[int]], bool]
"""Has a job been made for each of these tasks?"""


@dataclass(frozen=True)
class Connection:
    """Our service, for Label Studio.

    Attributes:
        url: of the web process.
        username, password: what Label Studio logs in with.
        webhook_token: what its webhooks carry.
    """

    url: str
    username: str
    password: str
    webhook_token: str


class LabelStudio(Protocol):
    """A Label Studio with one project and one person who works in it. Any of its calls may meet a kill.

    Attributes:
        url, token: for our service.
        child: what is killed.
        settings: of our service: how long it waits for this one.
        span_s: so long after its beginning most of what a round asks for is still going on.
        attempts: how often the person pressed the button that saves, answered or not.
        saved: what was saved last and answered, by the annotation's number.
    """

    url: str
    token: str
    child: Child
    settings: dict[str, str]
    span_s: float
    attempts: int
    saved: dict[int, list[Json]]

    def start(self) -> None:
        """For the first time."""

    def connect(self, stvg: Callable[..., None]) -> None:
        """Make the project; ``stvg`` runs one command of ours. Nothing is killed meanwhile."""

    def ready(self) -> bool: ...

    def ask_for(self, tasks: Sequence[Json], asked: Asked, waiting: Waiting) -> None:
        """Import tasks with these data, each once, and have our service asked for predictions."""

    def save(self, task: int, version: int, waiting: Waiting) -> None:
        """Save an annotation of a task that has its prediction, or save it again with something else in it."""

    def predictions(self, waiting: Waiting) -> dict[int, int]:
        """How many predictions each of its tasks has."""

    def annotations(self, waiting: Waiting) -> dict[int, list[Json]]:
        """What it holds, by number."""


Opening = Callable[[Path, Connection], LabelStudio]
"""Makes one whose files lie in a folder, with the videos in ``videos`` below it."""
