"""The audit log: its pages, its filters and its CSV file."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

from backend.db import audits
from backend.db.engine import Database
from backend.db.tables import Audit
from backend.http import audit_log
from tests.http.visitors import HTML, JSON, an_account, log_in

PATH = "/review/audit"
FORMULA = '=HYPERLINK("http://x")'


def act(database: Database, who: str, action: str, day: int, target: str = "") -> None:
    with database.write() as session:
        detail = {"labels": 3, "note": "a, b\nc"}
        session.add(Audit(who=who, action=action, target=target, detail=detail, at=datetime(2026, 3, day, tzinfo=UTC)))


@pytest.fixture
def admin(web: FlaskClient, sqlite_database: Database) -> FlaskClient:
    an_account(sqlite_database, "ann", "admin")
    act(sqlite_database, "rita", "accepted", 1, "task-one")
    act(sqlite_database, "rita", "export", 2, "thing-two")
    act(sqlite_database, FORMULA, "export", 3, "-thing-three")
    log_in(web)
    return web


def taken(web: FlaskClient, query: str = "") -> list[dict[str, str]]:
    response = web.get(f"{PATH}.csv{query}", headers=HTML)
    assert response.status_code == 200 and response.mimetype == "text/csv", response.text
    assert response.headers["Content-Disposition"].startswith("attachment; filename=stvg-audit-2")
    assert response.headers["Cache-Control"] == "no-store"
    return list(csv.DictReader(io.StringIO(response.get_data(as_text=True), newline="")))


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("?who=rita", {"task-one", "thing-two"}),
        ("?act=export", {"thing-two", "-thing-three"}),
        ("?who=rita&act=export", {"thing-two"}),
        ("?from=2026-03-02&to=2026-03-02", {"thing-two"}),
        ("?to=2026-03-02", {"task-one", "thing-two"}),
        ("?from=2026-03-03&act=export", {"-thing-three"}),
        ("?who=nobody", set()),
        ("?who=&act=&from=&to=", {"task-one", "thing-two", "-thing-three"}),
    ],
)
def test_it_can_be_narrowed(admin: FlaskClient, query: str, shown: set[str]) -> None:
    text = admin.get(f"{PATH}{query}", headers=HTML).text
    assert {name for name in ("task-one", "thing-two", "-thing-three") if f">{name}<" in text} == shown
    assert {row["about"].removeprefix("'") for row in taken(admin, query) if row["what"] != "log in"} == shown
    assert shown or "Nothing has happened that fits." in text


@pytest.mark.parametrize("place", [PATH, f"{PATH}.csv"])
def test_a_day_that_is_none_is_named(admin: FlaskClient, place: str) -> None:
    for query, said in (("from=x", "It is a day, such as 2026-01-31."), ("from=2026-02-02&to=2026-02-01", "before")):
        response = admin.get(f"{place}?{query}", headers=HTML)
        assert response.status_code == 400 and said in response.text and "task-one" not in response.text


def test_older_acts_and_the_file_keep_the_filter(admin: FlaskClient, sqlite_database: Database) -> None:
    for _ in range(60):
        act(sqlite_database, "rita", "export", 2)
    text = admin.get(f"{PATH}?who=rita&from=2026-03-02", headers=HTML).text
    assert "&amp;who=rita&amp;from=2026-03-02" in text and "audit.csv?who=rita&amp;from=2026-03-02" in text
    assert "<option selected>rita</option>" in text and 'value="2026-03-02"' in text


def test_no_cell_is_a_formula(admin: FlaskClient) -> None:
    rows = {row["who"]: row for row in taken(admin)}
    row = rows[f"'{FORMULA}"]
    assert row["about"] == "'-thing-three" and row["when"] == "2026-03-03T00:00:00+00:00"
    assert row["details"] == "labels: 3; note: a, b\nc"
    assert not [cell for row in rows.values() for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


def test_the_file_is_read_in_pieces_and_has_an_end(
    admin: FlaskClient, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "_PAGE", 2)
    for number in range(7):
        act(sqlite_database, "rita", "accepted", 5, f"task {number}")
    assert [row["about"] for row in taken(admin, "?from=2026-03-05&who=rita")] == [
        f"task {n}" for n in range(6, -1, -1)
    ]
    monkeypatch.setattr(audit_log, "MOST", 3)
    assert [row["about"] for row in taken(admin, "?who=rita")] == ["task 6", "task 5", "task 4"]
    assert taken(admin, "?who=nobody") == []


def test_that_it_was_taken_is_an_act(admin: FlaskClient, sqlite_database: Database) -> None:
    taken(admin, "?who=rita&to=2026-03-02")
    with sqlite_database.read() as session:
        row = audits.newest(session, 1)[0]
    assert (row.who, row.role, row.action) == ("ann", "admin", "download audit log")
    assert row.detail == {"who": "rita", "act": "", "from": "", "to": "2026-03-02"}


def test_reviewers_get_neither(web: FlaskClient, sqlite_database: Database) -> None:
    an_account(sqlite_database, "rita", "reviewer")
    log_in(web, "rita")
    assert web.get(PATH, headers=HTML).status_code == web.get(f"{PATH}.csv", headers=JSON).status_code == 403
    assert "/review/export" in web.get("/review/work", headers=HTML).text, "reviewers do export"


def test_the_log_is_read_page_by_page(admin: FlaskClient, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        for number in range(120):
            audits.add(session, who="ann", action="export", target=f"number-{number:03d}")
    page = admin.get("/review/audit", headers=HTML).text
    seen = []
    while True:
        seen += [part[:3] for part in page.split("number-")[1:]]
        if ">Older<" not in page:
            break
        before = page.split("/review/audit?before=")[1].split('"')[0]
        page = admin.get(f"/review/audit?before={before}", headers=HTML).text
    assert seen == [f"{number:03d}" for number in reversed(range(120))]
    for odd in ("x", "-1", "9" * 30, str(2**31)):
        answer = admin.get(f"/review/audit?before={odd}", headers=HTML)
        assert answer.status_code == 400 and "It is a whole number." in answer.text and "number-119" not in answer.text
    assert "Nothing has happened before that" in admin.get("/review/audit?before=1", headers=HTML).text
