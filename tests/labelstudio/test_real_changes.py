"""Against a real Label Studio: its list says what changed, and saving, skipping and deleting change a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.events import moment_of
from tests.labelstudio.bodies import CONFIG

pytestmark = pytest.mark.label_studio


@pytest.fixture
def project(client: LabelStudioClient) -> Iterator[int]:
    number = int(client.create_project("what changed", CONFIG)["id"])
    yield number
    client.delete_project(number)


@pytest.fixture
def numbers(client: LabelStudioClient, project: int) -> list[int]:
    data = {"video": "/data/local-files/?d=clips/none.mp4", "query": "the red square", "fps": 25}
    return sorted(int(n) for n in client.import_tasks(project, [{"data": data}] * 3)["task_ids"])


def newest(client: LabelStudioClient, project: int) -> datetime:
    task = client.newest_task(project)
    assert task is not None
    found = moment_of(task["updated_at"])
    assert found is not None
    return found


def listed(client: LabelStudioClient, project: int, since: datetime | None = None) -> list[int]:
    return [int(task["id"]) for page in client.task_pages(project, changed_since=since) for task in page]


def test_every_way_to_change_an_annotation_changes_its_task(
    client: LabelStudioClient, project: int, numbers: list[int]
) -> None:
    assert listed(client, project) == numbers
    task, other = numbers[1], numbers[2]
    made: dict[str, int] = {}

    def create() -> None:
        made["annotation"] = int(client.create_annotation(task, [])["id"])

    def skip() -> None:
        made["skip"] = int(client.create_annotation(other, [], was_cancelled=True)["id"])

    def delete_many() -> None:
        chosen: dict[str, Any] = {"selectedItems": {"all": False, "included": [other]}}
        params = {"id": "delete_tasks_annotations", "project": project}
        client._api.request("POST", "/api/dm/actions", body=chosen, params=params)

    steps: list[tuple[Callable[[], object], int]] = [
        (create, task),
        (lambda: client.update_annotation(made["annotation"], [], lead_time=3.0), task),
        (skip, other),
        (lambda: client.delete_annotation(made["annotation"]), task),
        (delete_many, other),
    ]
    for change, number in steps:
        since = newest(client, project)
        assert listed(client, project, since) == []
        change()
        assert listed(client, project, since) == [number]
        assert newest(client, project) > since


def test_the_list_has_its_pages_by_the_last_number(
    client: LabelStudioClient, project: int, numbers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.labelstudio.client.PAGE", 2)
    pages = client.task_pages(project)
    assert [int(task["id"]) for task in next(pages)] == numbers[:2]
    client._api.request("DELETE", f"/api/tasks/{numbers[0]}/")
    assert [int(task["id"]) for task in next(pages)] == numbers[2:], "what is deleted meanwhile moves no other task"
    assert list(pages) == []
