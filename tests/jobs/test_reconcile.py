"""What webhooks lost is found in Label Studio's list: by one worker, from where the last comparison ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from backend.db import annotations as versions
from backend.db import chores, projects
from backend.db.tables import Chore, Project
from backend.db.types import now
from backend.jobs import reconcile as reconciling
from backend.jobs.reconcile import CHORE, COUNTED, WHOLE, reconcile, reconcile_due, reconcile_project
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.transport import LabelStudioError
from tests.db.helpers import CONFIG
from tests.jobs.conftest import Loop
from tests.jobs.test_corrections import _annotation, _current


class Asked:
    """The queries with which the list of tasks was asked for."""

    def __init__(self, loop: Loop) -> None:
        self.filters: list[dict[str, Any]] = []
        fake = loop.label_studio

        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.path == "/api/tasks/":
                items = json.loads(request.url.params["query"]).get("filters", {}).get("items", [])
                self.filters += [{one["filter"].rpartition(":")[2]: one["value"] for one in items}] if items else []
            return fake(request)

        self.client = LabelStudioClient("http://ls", "token", transport=httpx.MockTransport(answer), pause=0)


def compare(loop: Loop, name: str = "a", *, seconds: float = 300.0) -> int:
    return reconcile_due(loop.database, loop.client, name=name, seconds=seconds)


def make_due(loop: Loop, *names: str) -> None:
    with loop.database.write() as session:
        session.execute(update(Chore).where(Chore.name.in_(names)).values(run_after=now(), lease_until=now()))


def until(loop: Loop) -> datetime | None:
    with loop.database.read() as session:
        return projects.compared_until(session, 1)


def here(loop: Loop) -> list[int]:
    return [row.ls_annotation_id for row in _current(loop)]


def test_one_of_several_workers_compares(each_loop: Loop) -> None:
    loop = each_loop
    loop.task(1)
    with loop.database.write() as session:
        assert chores.take(session, CHORE, "b", seconds=60) is not None
    loop.label_studio.annotations = [_annotation(8)]
    assert compare(loop) == 0 and loop.label_studio.requests == []
    make_due(loop, CHORE)  # b was not heard of for too long
    assert compare(loop) == 1
    asked = len(loop.label_studio.requests)
    assert compare(loop, "c") == 0 and len(loop.label_studio.requests) == asked, "not due yet"
    make_due(loop, CHORE)
    assert compare(loop, "c") == 0 and len(loop.label_studio.requests) > asked


def test_a_comparison_that_fails_is_tried_again_later(loop: Loop) -> None:
    loop.task(1)
    loop.label_studio.annotations = [_annotation(8)]
    loop.label_studio.away = True
    with pytest.raises(LabelStudioError):
        compare(loop)
    loop.label_studio.away = False
    assert compare(loop) == 0
    make_due(loop, CHORE, WHOLE)
    assert compare(loop) == 1 and here(loop) == [8]


def test_who_lost_the_lease_stops(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loop.task(1)
    loop.label_studio.annotations = [_annotation(8)]
    project = loop.client.project

    def slow(number: int) -> dict[str, Any]:
        make_due(loop, CHORE, WHOLE)
        with loop.database.write() as session:
            assert chores.take(session, CHORE, "b", seconds=60) is not None
        return project(number)

    monkeypatch.setattr(loop.client, "project", slow)
    assert compare(loop) == 0 and here(loop) == [] and "another worker compares" in caplog.text
    with loop.database.read() as session:
        assert not chores.due(session, CHORE), "b still has it"


def test_only_what_changed_is_asked_for(loop: Loop) -> None:
    asked = Asked(loop)
    for number in (1, 2, 3):
        loop.task(number)
    loop.label_studio.annotations = [_annotation(8, minute=1), _annotation(9, task=2, minute=50)]
    assert reconcile(loop.database, asked.client) == 2
    assert asked.filters == [{"id": 0}] and until(loop) == datetime.fromisoformat("2026-11-22T11:48:00Z")
    loop.label_studio.annotations += [_annotation(10, task=3, minute=55)]
    assert reconcile(loop.database, asked.client) == 1
    assert asked.filters[1:] == [{"id": 0, "updated_at": "2026-11-22T11:48:00.000000Z"}]
    assert until(loop) == datetime.fromisoformat("2026-11-22T11:53:00Z") and here(loop) == [8, 9, 10]
    assert reconcile(loop.database, asked.client, everything=True) == 0
    assert asked.filters[2:] == [{"id": 0}]


def test_what_is_saved_while_the_list_is_read_is_found_the_next_time(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.labelstudio.client.PAGE", 1)
    for number in (1, 2):
        loop.task(number)
    loop.label_studio.annotations = [_annotation(9, task=2, minute=5)]
    pages = loop.client.task_pages

    def busy(project_id: int, **more: Any) -> Iterator[list[dict[str, Any]]]:
        for page in pages(project_id, **more):
            yield page
            if page[0]["id"] == 1:  # its page was read already; and another task is saved still later
                loop.label_studio.annotations = [_annotation(8, minute=30), _annotation(9, task=2, minute=50)]

    with monkeypatch.context() as patch:
        patch.setattr(loop.client, "task_pages", busy)
        reconcile(loop.database, loop.client)
    assert here(loop) == [9]
    assert reconcile(loop.database, loop.client) == 1 and here(loop) == [8, 9]


def test_deletions_are_found_in_what_changed_and_deleted_tasks_in_everything(each_loop: Loop) -> None:
    loop = each_loop
    for number in (1, 2, 3):
        loop.task(number)
    kept = [_annotation(8), _annotation(9, task=2, minute=1), _annotation(10, task=3, minute=2)]
    loop.label_studio.annotations = kept
    assert compare(loop) == 3
    loop.label_studio.annotations = [kept[0], kept[2]]
    make_due(loop, CHORE)
    assert compare(loop) == 1 and here(loop) == [8, 10]
    del loop.label_studio.tasks[3]
    with loop.database.write() as session:
        assert chores.take(session, COUNTED, "b", seconds=60) is not None
    make_due(loop, CHORE)
    assert compare(loop) == 0 and here(loop) == [8, 10], "a task that is gone is in no list of changes"
    make_due(loop, CHORE, WHOLE)
    assert compare(loop) == 1 and here(loop) == [8]
    with loop.database.read() as session:
        assert versions.versions(session, 10)[-1].deleted


def test_what_changed_no_task_is_found_by_the_count(each_loop: Loop) -> None:
    """Label Studio was killed after it had saved an annotation, before it noted so at the task and told anybody."""
    loop, asked = each_loop, Asked(each_loop)
    for number in (1, 2):
        loop.task(number)
    loop.label_studio.annotations = [_annotation(8, minute=50)]
    assert compare(loop) == 1
    unseen = [_annotation(9, task=2, minute=1), _annotation(10, task=2, minute=2, was_cancelled=True, result=[])]
    loop.label_studio.annotations += unseen
    make_due(loop, CHORE)
    assert reconcile_due(loop.database, asked.client, name="a", seconds=300.0) == 2 and here(loop) == [8, 9, 10]
    assert asked.filters == [{"id": 0, "updated_at": "2026-11-22T11:48:00.000000Z"}, {"id": 0}]
    make_due(loop, CHORE)
    assert reconcile_due(loop.database, asked.client, name="a", seconds=300.0) == 0
    assert len(asked.filters) == 3, "the counts agree: what changed is enough"


def test_a_count_that_differs_for_good_makes_all_be_read_now_and_then(loop: Loop) -> None:
    asked = Asked(loop)
    loop.task(1)
    loop.label_studio.annotations = [_annotation(8)]
    assert compare(loop) == 1
    loop.label_studio.annotations += [_annotation(9, result=7)]  # type: ignore[arg-type]  # nothing reads this
    for passes in (1, 2):
        for _ in range(2):
            make_due(loop, CHORE)
            assert reconcile_due(loop.database, asked.client, name="a", seconds=300.0) == 0
        assert asked.filters.count({"id": 0}) == passes
        make_due(loop, COUNTED)


def test_while_annotations_are_saved_no_count_is_believed(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(loop)
    loop.task(1)
    loop.label_studio.annotations = [_annotation(8, minute=50)]
    assert compare(loop) == 1
    newest_task = asked.client.newest_task

    def one_more(project_id: int) -> dict[str, Any] | None:
        found = newest_task(project_id)
        loop.label_studio.annotations += [_annotation(9, minute=1)]
        return found

    monkeypatch.setattr(asked.client, "newest_task", one_more)
    monkeypatch.setattr(asked.client, "task_pages", lambda project_id, **more: iter(()))
    make_due(loop, CHORE)
    assert reconcile_due(loop.database, asked.client, name="a", seconds=300.0) == 0
    with loop.database.read() as session:
        assert chores.due(session, COUNTED)


def test_a_list_that_misses_one_deletes_nothing(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    loop.task(1)
    loop.label_studio.annotations = [_annotation(8)]
    assert reconcile(loop.database, loop.client) == 1
    monkeypatch.setattr(loop.client, "task_pages", lambda project_id, **more: iter(()))
    assert reconcile_project(loop.database, loop.client, 1) == reconciling.Reconciled() and here(loop) == [8]


def test_a_local_project_is_not_asked_for(loop: Loop) -> None:
    with loop.database.write() as session:
        session.add(Project(id=-1, label_config=CONFIG, title="here"))
    reconcile(loop.database, loop.client)
    assert not [path for path in loop.label_studio.requests if "-1" in path]


def test_a_list_without_filters_is_no_list(loop: Loop) -> None:
    """Something in front that drops the query would send the first page for ever."""
    loop.task(1)
    loop.label_studio.annotations = [_annotation(8)]
    page = httpx.Response(200, json={"tasks": [{"id": number} for number in range(1, 101)], "total": 250})
    client = LabelStudioClient("http://ls", "token", transport=httpx.MockTransport(lambda request: page), pause=0)
    with pytest.raises(LabelStudioError, match="does not filter"):
        list(client.task_pages(1))
