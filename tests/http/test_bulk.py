"""``/review/bulk`` as a browser asks for it: the preview, the press of the button, and the second press."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest
from flask.testing import FlaskClient

from backend.db import audits
from backend.db.engine import Database
from backend.db.tables import Prediction, Task
from backend.review import bulk, decisions
from tests.http.visitors import HTML, PASSWORD, an_account, log_in, post, token_in
from tests.review.labelled import SUGGESTED, a_correction, a_suggestion, a_task

PATH = "/review/bulk?below=0.5"


@pytest.fixture
def rita(web: FlaskClient, sqlite_database: Database) -> Iterator[FlaskClient]:
    """A reviewer, and suggestions: tasks 1 to 3 (uncertainty .1, .2, .3), 4 (.9), 5 saved as is (.1)."""
    an_account(sqlite_database, "rita", "reviewer")
    log_in(web, "rita")
    with sqlite_database.write() as session:
        for number, value in enumerate((0.1, 0.2, 0.3, 0.9, 0.1), start=1):
            task = a_task(session, number, query=f"sentence {number}", name=f"clip{number}.mp4")
            row = a_suggestion(session, task, uncertainty=value)
            if number == 5:
                a_correction(session, task, row, keyframes=SUGGESTED)
    yield web


def page(web: FlaskClient, path: str = PATH) -> str:
    response = web.get(path, headers=HTML)
    assert response.status_code == 200, response.text
    return response.text


def rows_on(text: str, *, ticked: bool = True) -> list[str]:
    boxes = re.findall(r'<input type="checkbox" name="row" value="([^"]*)"[^>]*>', text)
    return [value for value in boxes if not ticked or re.search(rf'value="{value}"[^>]* checked>', text)]


def press(web: FlaskClient, rows: list[str], path: str = PATH) -> tuple[int, str]:
    answer = post(web, path, row=rows)
    return answer.status_code, answer.text


def decided(database: Database, *tasks: int) -> list[list[str]]:
    with database.read() as session:
        return [[row.decision for row in decisions.history(session, number)] for number in tasks]


def test_nothing_is_listed_before_an_uncertainty_is_named(rita: FlaskClient) -> None:
    text = page(rita, "/review/bulk")
    assert "Choose an uncertainty" in text and rows_on(text) == [] and "csrf_token" in text


def test_the_preview_says_how_many_and_which(rita: FlaskClient, sqlite_database: Database) -> None:
    text = page(rita)
    assert "<strong>3 tasks</strong> suggested, not annotated by anybody, uncertainty below 0.5." in text
    assert rows_on(text) == ["1::1", "2::2", "3::3"] and "sentence 4" not in text and "sentence 5" not in text
    assert rows_on(page(rita, PATH + "&state=to+review")) == ["5:1:5"]
    assert rows_on(page(rita, PATH + "&search=CLIP2")) == ["2::2"]
    assert "Nothing to accept" in page(rita, "/review/bulk?below=0.01")
    assert decided(sqlite_database, 1, 2, 3) == [[], [], []], "looking decides nothing"


def test_what_is_ticked_is_accepted_and_stands_in_the_log(rita: FlaskClient, sqlite_database: Database) -> None:
    status, text = press(rita, rows_on(page(rita))[:2])
    assert status == 200 and "2 accepted" in text and "None was left out" in text
    assert decided(sqlite_database, 1, 2, 3, 4, 5) == [["accepted"], ["accepted"], [], [], []]
    with sqlite_database.read() as session:
        acts = [
            (act.who, act.role, act.target, act.detail) for act in audits.newest(session) if act.action == "accepted"
        ]
    detail = {"annotation": None, "together": 2}
    assert acts == [("rita", "reviewer", f"task {n}", {**detail, "prediction": n}) for n in (2, 1)]
    assert rows_on(page(rita)) == ["3::3"]


def test_a_second_press_does_nothing_and_says_so(rita: FlaskClient, sqlite_database: Database) -> None:
    rows = rows_on(page(rita))
    press(rita, rows)
    status, text = press(rita, rows)
    assert status == 200 and "0 accepted" in text and "3 left out" in text
    assert text.count("already accepted by rita") == 3
    assert decided(sqlite_database, 1, 2, 3) == [["accepted"]] * 3


def test_a_row_that_is_sent_twice_counts_once(rita: FlaskClient, sqlite_database: Database) -> None:
    _, text = press(rita, ["1::1", "1::1"])
    assert "1 accepted" in text and decided(sqlite_database, 1) == [["accepted"]]


def test_what_changed_while_it_was_on_the_screen_is_left_out(rita: FlaskClient, sqlite_database: Database) -> None:
    rows = rows_on(page(rita))
    with sqlite_database.write() as session:
        a_correction(session, session.get_one(Task, 2), None)
        decisions.decide(session, 3, "rejected", reason="object absent", reviewer="otto", seen=None)
    _, text = press(rita, rows)
    assert "1 accepted" in text and "2 left out" in text
    assert "it changed since the list was shown" in text and "already rejected by otto" in text and "sentence 3" in text
    assert decided(sqlite_database, 1, 2, 3) == [["accepted"], [], ["rejected"]]


def test_what_needs_a_look_is_not_ticked(rita: FlaskClient, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        task, suggestion = session.get_one(Task, 5), session.get_one(Prediction, 5)
        a_correction(session, task, suggestion, who=8, keyframes=SUGGESTED)
    text = page(rita, PATH + "&state=to+review")
    assert rows_on(text) == [] and len(rows_on(text, ticked=False)) == 1
    assert "1 is not ticked: look at it first." in text and "several annotators" in text


def test_a_list_that_is_damaged_empty_or_too_long_accepts_nothing(rita: FlaskClient, sqlite_database: Database) -> None:
    for rows, said in (
        ([], "no task is ticked"), (["1::1", "x"], "the list is damaged"),
        (["1::1"] * (bulk.PAGE + 1), "at most 100 tasks"),
    ):  # fmt: skip
        status, text = press(rita, rows)
        assert status == 400 and said in text, said
    assert decided(sqlite_database, 1) == [[]]


def test_pages_of_the_preview(rita: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PAGE", 2)
    first = page(rita)
    assert rows_on(first) == ["1::1", "2::2"]
    assert "This page shows 2 of them, and only these are accepted" in first
    link = re.search(r'rel="next" href="([^"]+)"', first)
    assert link is not None
    assert rows_on(page(rita, unescape(link[1]))) == ["3::3"]


def test_each_turn_is_a_transaction_of_its_own(
    rita: FlaskClient, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What went before stays when a later turn fails, and a second press does the rest."""
    monkeypatch.setattr(bulk, "TURN", 1)
    rows, accept = rows_on(page(rita)), bulk.accept

    def breaks(session: object, shown: list[bulk.Shown], **who: object) -> object:
        if shown[0].task_id == 2:
            raise OSError("gone")
        return accept(session, shown, **who)  # type: ignore[arg-type]

    with monkeypatch.context() as broken:
        broken.setattr(bulk, "accept", breaks)
        assert press(rita, rows)[0] == 500
    assert decided(sqlite_database, 1, 2, 3) == [["accepted"], [], []]
    _, text = press(rita, rows)
    assert "2 accepted" in text and decided(sqlite_database, 1, 2, 3) == [["accepted"]] * 3


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("state=accepted", "Here it is one of: to review, suggested."),
        ("sort=age", "leave sort and order out"),
        ("order=up", "leave sort and order out"),
    ],
)
def test_what_does_not_go_with_it_is_an_error(rita: FlaskClient, query: str, said: str) -> None:
    answer = rita.get(f"{PATH}&{query}", headers=HTML)
    assert answer.status_code == 400 and said in answer.text


def test_it_is_for_reviewers_and_needs_the_forms_token(rita: FlaskClient, sqlite_database: Database) -> None:
    assert "Accept several" in page(rita, "/review/")
    assert rita.post(PATH, data={"row": ["1::1"]}, headers=HTML).status_code == 403
    text = page(rita)
    assert rita.post(PATH, data={"row": ["1::1"], "csrf_token": token_in(text)}, headers=HTML).status_code == 200
    an_account(sqlite_database, "anna", "annotator")
    post(rita, "/logout")
    log_in(rita, "anna", PASSWORD)
    assert "Accept several" not in page(rita, "/review/")
    assert rita.get(PATH, headers=HTML).status_code == 403 and press(rita, ["2::2"])[0] == 403
    assert decided(sqlite_database, 1, 2) == [["accepted"], []]


def test_the_queues_link_leads_to_the_same_filter(rita: FlaskClient) -> None:
    text = page(rita, "/review/?state=to+review&search=sentence&sort=age&order=up")
    assert 'href="/review/bulk?state=to+review&amp;search=sentence"' in text
    assert 'href="/review/bulk?search=sentence"' in page(rita, "/review/?state=failed&search=sentence")
