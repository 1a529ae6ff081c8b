"""The tasks of a Label Studio project as items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.config import LabelConfig, read_config
from backend.labelstudio.connect import find_project
from backend.media.file_address import is_file_address
from backend.prelabel.errors import Reason, SourceError
from backend.prelabel.item import Found, Item, Problem
from stvg_core.errors import QueryError
from stvg_core.query import normalise_query

PREFIX = "project:"


class ProjectTasks:
    """A project, found once; its tasks are asked for page by page each time they are read.

    Raises:
        SourceError: there is no such project.
        LabelStudioError: Label Studio refuses, or does not answer.
        LabelConfigError: the project's interface cannot hold a tube.
    """

    def __init__(self, client: LabelStudioClient, project: str) -> None:
        found = find_project(client, project.strip())
        if found is None:
            raise SourceError(f'There is no project "{project.strip()}" in Label Studio at {client.url}.')
        self._client, self.number = client, int(found["id"])
        self.config: LabelConfig = read_config(str(found.get("label_config") or ""))

    def __iter__(self) -> Iterator[Found]:
        for task in self._client.tasks(self.number, fields="task_only"):
            yield self._item(task)

    def _item(self, task: dict[str, Any]) -> Item | Problem:
        number = int(task["id"])
        where = f"task {number}"
        data = task.get("data")
        data = data if isinstance(data, dict) else {}
        video, query = self.config.video_of(data).strip(), self.config.query_of(data)
        if not video:
            return Problem(where, f'has no "{self.config.video_key}" with an address')
        if is_file_address(video):
            return Problem(where, "names a file of this machine, which no task may", Reason.ADDRESS)
        try:
            sentence = normalise_query(query)
        except QueryError as error:
            return Problem(where, str(error), Reason.SENTENCE)
        return Item(video, sentence, str(number), where, data, task=number, project=self.number)
