"""``stvg queue``: the list for a person or a program, and the order in Label Studio."""

from __future__ import annotations

import json

import httpx
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from backend.bootstrap import places
from backend.cli.main import stvg
from backend.db.tables import Job, Prediction, Task
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.transport import LabelStudioError
from backend.review import disagreement
from backend.review.queue_search import SearchError
from backend.settings import Settings, SettingsError
from stvg_core.demo import MODEL_DIR
from stvg_core.notice import DEMO_NOTICE
from stvg_core.version import model_version
from tests.db.helpers import becomes
from tests.jobs.conftest import Loop, each_loop, loop  # noqa: F401
from tests.review.labelled import SUGGESTED, evidence
from tests.review.rows import says
from tests.review.test_compare import another
from tests.review.tubes import whole


@pytest.fixture
def shell(each_loop: Loop, monkeypatch: pytest.MonkeyPatch) -> Loop:  # noqa: F811
    """Three tasks in Label Studio: uncertainty .05 and .9, and one that was never grounded."""
    url = each_loop.database.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("STVG_DATABASE_URL", url)

    def open_client(settings: Settings) -> LabelStudioClient:
        return LabelStudioClient("http://ls", "t", transport=httpx.MockTransport(each_loop.label_studio), pause=0)

    monkeypatch.setattr(places, "open_label_studio", open_client)
    for number, query in ((1, "the <b>red</b> box"), (2, "the blue box")):
        each_loop.ask(each_loop.task(number, query, note={"kept": number}))
    each_loop.task(3, "the green box")
    each_loop.worker.drain()
    with each_loop.database.write() as session:
        for number, value in ((1, 0.05), (2, 0.9)):
            becomes(session, session.get_one(Prediction, number), uncertainty=value)
    return each_loop


def _queue(*words: str) -> Result:
    return CliRunner().invoke(stvg, ["queue", *words])


def _written(shell: Loop) -> dict[int, object]:
    return {number: task["data"].get("uncertainty") for number, task in shell.label_studio.tasks.items()}


def test_the_list_has_the_most_uncertain_first(shell: Loop) -> None:
    lines = _queue("list").output.splitlines()
    assert lines[0].split() == [
        "PROJECT/TASK", "STATE", "UNCERTAINTY", "DISAGREEMENT", "VERSIONS", "CHANGE", "CHECK", "QUERY",
    ]  # fmt: skip
    assert [line.split()[:4] for line in lines[1:]] == [
        ["1/2", "suggested", "0.900", "-"],
        ["1/1", "suggested", "0.050", "-"],
    ]
    [first, _] = [json.loads(line) for line in _queue("list", "--json", "--ascending").output.splitlines()]
    assert (first["ls_task_id"], first["query"], first["uncertainty"]) == (1, "the <b>red</b> box", 0.05)
    assert first["notice"] is None
    assert len(_queue("list", "--limit", "1").output.splitlines()) == 2
    assert _queue("list", "--state", "accepted").output == "No tasks.\n"
    assert _queue("list", "--project", "9").output == "No tasks.\n"
    found = _queue("list", "--search", "BOX blue", "--json").output.splitlines()
    assert [json.loads(line)["ls_task_id"] for line in found] == [2]
    assert isinstance(_queue("list", "--search", "a b c d e f g h i").exception, SearchError)


def test_the_list_names_the_frame_to_check_and_where_to_open_the_task(shell: Loop) -> None:
    with shell.database.write() as session:
        for number in (1, 2):
            row, found = session.get_one(Prediction, number), evidence()
            becomes(
                session, row, keyframes=SUGGESTED if number == 1 else None, evidence=found.to_bytes(),
                evidence_chosen=found.chosen, evidence_info=found.info,
            )  # fmt: skip
    lines = _queue("list").output.splitlines()
    assert [line.split()[6:8] for line in lines[1:]] == [["-", "the"], ["11", "start"]]
    [none, first] = [json.loads(line) for line in _queue("list", "--json").output.splitlines()]
    why = "At the start the score rises by only 0.50 of its range."
    assert first["check"] == {"frame": 10, "kind": "start", "why": why, "weight": 0.5}
    assert none["check"] is None
    assert first["label_studio_url"] is None


def test_the_list_says_which_suggestions_are_the_demo_models(shell: Loop) -> None:
    with shell.database.write() as session:
        becomes(session, session.get_one(Job, 2), model_version=model_version(MODEL_DIR))
    assert _queue("list").output.splitlines()[-1] == f"1 of 2 suggestions are of the {DEMO_NOTICE}"
    rows = [json.loads(line) for line in _queue("list", "--json").output.splitlines()]
    assert [row["notice"] for row in rows] == [DEMO_NOTICE, None]


def test_pushing_writes_what_is_new_and_a_second_time_nothing(shell: Loop) -> None:
    output = _queue("push", "--project", "1").output
    assert "tasks: 2 written, 0 as they were, 1 without a suggestion" in output
    assert "'Most uncertain first' set" in output and "http://ls/projects/1/data?tab=1" in output
    assert _written(shell) == {1: 0.05, 2: 0.9, 3: None}
    assert shell.label_studio.tasks[2]["data"]["note"] == {"kept": 2}
    assert shell.label_studio.views[1]["data"]["ordering"] == ["-tasks:data.uncertainty"]
    shell.label_studio.requests.clear()
    output = _queue("push", "--project", "1").output
    assert "0 written, 2 as they were" in output and "as it was" in output
    assert all(line.startswith("GET ") for line in shell.label_studio.requests)
    assert "0 written" in _queue("push", "--project", "1", "--order", "certain").output
    assert len(shell.label_studio.views) == 1
    assert shell.label_studio.views[1]["data"]["ordering"] == ["tasks:data.uncertainty"]


def test_a_value_that_is_another_or_gone_is_brought_up_to_date(shell: Loop) -> None:
    _queue("push", "--project", "1")
    shell.label_studio.tasks[3]["data"]["uncertainty"] = 0.4  # of a suggestion that is not here
    with shell.database.write() as session:
        becomes(session, session.get_one(Prediction, 1), uncertainty=0.123456)
    assert "2 written, 1 as they were" in _queue("push", "--project", "1").output
    assert _written(shell) == {1: 0.1235, 2: 0.9, 3: None}


def test_what_cannot_be_done_is_said(shell: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    result = _queue("push", "--project", "9")
    assert isinstance(result.exception, SettingsError) and "Project 9 is not known" in str(result.exception)
    shell.label_studio.away = True
    result = _queue("push", "--project", "1")
    assert isinstance(result.exception, LabelStudioError) and "cannot be reached" in str(result.exception)
    monkeypatch.setattr(places, "open_label_studio", lambda settings: None)
    result = _queue("push", "--project", "1")
    assert isinstance(result.exception, SettingsError) and "STVG_LABEL_STUDIO_URL" in str(result.exception)


def test_annotators_who_are_not_compared_yet_are_named(shell: Loop) -> None:
    with shell.database.write() as session:
        task = session.scalars(select(Task).where(Task.ls_task_id == 1)).one()
        for author in (3, 4):
            says(session, author, task, whole(0, 9), author_id=author)
    said = "The annotators of 1 tasks are not compared yet"
    assert said in _queue("list").output and '"comparing": true' in _queue("list", "--json").output
    assert disagreement.record_due(shell.database) == 1
    listed = _queue("list", "--sort", "disagreement").output
    assert said not in listed and listed.splitlines()[1].split()[:5] == ["1/1", "to", "review", "0.050", "0.000"]


def test_the_list_by_model_versions_has_those_first_that_disagree_most(shell: Loop) -> None:
    with shell.database.write() as session:
        for number, keyframes in ((1, SUGGESTED), (2, None)):
            task = session.scalars(select(Task).where(Task.ls_task_id == number)).one()
            first = session.get_one(Prediction, number)
            becomes(session, first, keyframes=SUGGESTED)
            another(session, task, first, "second", keyframes=keyframes)
    lines = _queue("list", "--sort", "versions").output.splitlines()
    assert [(line.split()[0], line.split()[4]) for line in lines[1:]] == [("1/2", "0.000"), ("1/1", "1.000")]
    listed = _queue("list", "--sort", "versions", "--ascending", "--json").output.splitlines()
    rows = [json.loads(line) for line in listed]
    assert [(row["ls_task_id"], row["versions_agree"]) for row in rows] == [(1, 1.0), (2, 0.0)]
