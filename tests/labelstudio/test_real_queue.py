"""Against a real Label Studio: tasks come in the order of their uncertainty, and a decision shows at its task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from backend.db import jobs, projects, tasks
from backend.db.engine import Database
from backend.jobs import ordering
from backend.jobs.delivering import Outbox
from backend.labelstudio.client import LabelStudioClient
from backend.review import decisions
from tests.db.helpers import a_prediction, becomes
from tests.labelstudio.bodies import CONFIG

pytestmark = pytest.mark.label_studio
VALUES = (0.5, 0.05, 0.9, 1.0, 0.1234, 0.00004)
"""As text 1e-05 would come last; 1 is a video without candidates."""


@pytest.fixture
def project(client: LabelStudioClient) -> Iterator[int]:
    number = int(client.create_project("in order", CONFIG)["id"])
    yield number
    client.delete_project(number)


def grounded(client: LabelStudioClient, database: Database, project: int, value: float | None) -> int:
    """A task there and here, with a suggestion of this uncertainty."""
    data = {"video": "/data/local-files/?d=clips/none.mp4", "query": "the red square", "fps": 25, "note": {"kept": [1]}}
    number = int(client.import_tasks(project, [{"data": data}])["task_ids"][0])
    with database.write() as session:
        projects.register(session, project, CONFIG)
        ref, query = str(data["video"]), str(data["query"])
        task = tasks.remember(session, project_id=project, ls_task_id=number, video_ref=ref, query=query, data=data)
        if value is not None:
            identity = f"{project}.{number}"
            job, _ = jobs.enqueue(
                session, identity=identity, task_id=task.id, video_ref=ref, query=query, model_version="m"
            )
            found = a_prediction(session, identity=identity)
            found.uncertainty = value
            becomes(session, job, state="done", prediction_id=found.id)
    return number


def handed_out(client: LabelStudioClient, project: int, count: int, **ask: Any) -> list[int]:
    """The tasks that the label stream gives one after the other, each annotated before the next is asked for."""
    numbers = []
    for _ in range(count):
        if "view" in ask:
            task = client._api.request("GET", f"/api/projects/{project}/next", params=ask)
        else:
            params = {"id": "next_task", "project": project}
            task = client._api.request("POST", "/api/dm/actions", body=ask, params=params)
        numbers.append(int(task["id"]))
        client.create_annotation(numbers[-1], [])
    return numbers


@pytest.mark.parametrize("order", ["uncertain", "certain"])
@pytest.mark.parametrize("way", ["as displayed", "next"])
def test_the_label_stream_follows_the_order(
    client: LabelStudioClient, sqlite_database: Database, project: int, order: ordering.Order, way: str
) -> None:
    numbers = {value: grounded(client, sqlite_database, project, value) for value in (*VALUES, None)}
    found = ordering.push(sqlite_database, client, project, order)
    assert (found.written, found.unchanged, found.unknown, found.tab_changed) == (len(VALUES), 0, 1, True)
    expected = [numbers[value] for value in sorted(VALUES, reverse=order == "uncertain")]
    # What the page sends for "Label Tasks As Displayed" is the tab's order, and nothing of its columns' types.
    [tab] = [view for view in client.views(project) if view["id"] == found.view_id]
    ask = {"view": found.view_id} if way == "next" else {"ordering": tab["data"]["ordering"]}
    assert handed_out(client, project, len(VALUES), **ask) == expected
    assert client.task(numbers[0.5])["data"]["note"] == {"kept": [1]}, "all other data are kept"


def test_pushing_again_changes_nothing_and_the_other_order_keeps_one_tab(
    client: LabelStudioClient, sqlite_database: Database, project: int
) -> None:
    numbers = [grounded(client, sqlite_database, project, value) for value in (0.2, 0.3)]
    first = ordering.push(sqlite_database, client, project, "uncertain")
    tabs, data = client.views(project), client.task(numbers[0])
    again = ordering.push(sqlite_database, client, project, "uncertain")
    assert (again.written, again.unchanged, again.tab_changed) == (0, 2, False) and again.view_id == first.view_id
    assert client.views(project) == tabs and client.task(numbers[0])["updated_at"] == data["updated_at"]
    other = ordering.push(sqlite_database, client, project, "certain")
    assert (other.written, other.tab_changed, other.view_id) == (0, True, first.view_id)
    [tab] = [view for view in client.views(project) if view["data"].get("title") in ordering.TITLES.values()]
    assert tab["data"]["title"] == "Most certain first" and tab["data"]["ordering"] == [ordering.COLUMN]


def test_a_tab_shows_what_matters_and_keeps_the_columns_that_a_lead_chose(
    client: LabelStudioClient, sqlite_database: Database, project: int
) -> None:
    grounded(client, sqlite_database, project, 0.2)
    found = ordering.push(sqlite_database, client, project, "uncertain")
    columns = client._api.request("GET", "/api/dm/columns", params={"project": project})["columns"]
    # What the list starts with; "data" is the parent of the last ones.
    there = [f"tasks:{'data.' if column.get('parent') else ''}{column['id']}" for column in columns]
    shown = [name for name in there if name not in ordering.HIDDEN["explore"]]
    assert {"tasks:data.video", "tasks:data.query", ordering.COLUMN} <= {*shown} and len(shown) <= 10, shown

    [tab] = [view for view in client.views(project) if view["id"] == found.view_id]
    assert tab["data"]["hiddenColumns"] == ordering.HIDDEN
    chosen = {"explore": ["tasks:id"], "labeling": []}
    client.update_view(found.view_id, project, {**tab["data"], "hiddenColumns": chosen})
    assert not ordering.push(sqlite_database, client, project, "uncertain").tab_changed
    assert ordering.push(sqlite_database, client, project, "certain").tab_changed
    [tab] = [view for view in client.views(project) if view["id"] == found.view_id]
    assert tab["data"]["hiddenColumns"] == chosen

    older = {key: value for key, value in tab["data"].items() if key != "hiddenColumns"}
    client.update_view(found.view_id, project, older)
    assert ordering.push(sqlite_database, client, project, "certain").tab_changed, (
        "a tab made before columns were chosen"
    )


def test_a_decision_is_a_column_and_a_filter_until_it_is_taken_back(
    client: LabelStudioClient, sqlite_database: Database, project: int
) -> None:
    number, other = (grounded(client, sqlite_database, project, 0.5) for _ in range(2))
    with sqlite_database.write() as session:
        task = tasks.find(session, project, number)
        assert task is not None
        decisions.decide(
            session,
            task.id,
            decisions.SENT_BACK,
            reason="boxes loose",
            comment="<b>tighter</b>",
            reviewer="ann",
            seen=None,
        )
    before = client.task(number)["data"]
    telling = Outbox(sqlite_database, client, name="t")
    assert telling.send_due() == 1 and telling.send_due() == 0
    shown = {"review": "sent back", "review_comment": "boxes loose: <b>tighter</b>; by ann"}
    assert client.task(number)["data"] == before | shown

    item = {"filter": "filter:tasks:data.review", "operator": "equal", "type": "String", "value": "sent back"}
    query = {"filters": {"conjunction": "and", "items": [item]}}
    view = client.create_view(project, {"title": "Sent back", "type": "list", "target": "tasks", **query})
    listed = client._api.request("GET", "/api/tasks/", params={"view": view["id"], "project": project})
    assert [entry["id"] for entry in listed["tasks"]] == [number] and other != number
    columns = client._api.request("GET", "/api/dm/columns", params={"project": project})["columns"]
    assert {"review", "review_comment"} <= {column["id"] for column in columns if column.get("parent") == "data"}

    with sqlite_database.write() as session:
        decisions.undo(session, task.id, reviewer="ann")
    assert telling.send_due() == 1 and client.task(number)["data"] == before
