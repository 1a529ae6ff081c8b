"""Requests of every kind to every route, drawn from the app's own description: none may end as a defect of ours.

`make test` sends a few hundred, always the same; `make fuzz` sends 10,000 others.
"""

from __future__ import annotations

import math
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from backend.db.engine import Database
from backend.http.app import create_app
from backend.http.descriptions import OPERATIONS
from backend.http.openapi import describe
from stvg_core.demo.clips import split_scene, write_clip
from tests.chance import fuzzing
from tests.http.conftest import API_TOKEN, MODEL, WEBHOOK_TOKEN, make_settings
from tests.http.visitors import an_account, log_in
from tests.review.labelled import CONFIG, FRAMES, a_correction, a_job, a_suggestion, a_task

REQUESTS = int(os.environ.get("STVG_FUZZ_REQUESTS", "10000")) if fuzzing() else 300
EACH = math.ceil(REQUESTS / len(OPERATIONS))
PHASES = (Phase.generate,)  # making a failing request smaller takes far longer than reading it
KINDS = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
KNOWN = st.sampled_from([1, 2, 3, 2**31 - 1, 2**31, 2**63, 10**30])  # rows that are there, and the ends of numbers
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Accept": st.sampled_from(["application/json", "text/html", "*/*", "image/*;q=x", ""]) | VALUES,
        "Range": st.sampled_from(["bytes=0-9", "bytes=5-", "bytes=9-1", "bytes=-5", "bytes=99999999-", "x"]) | VALUES,
        "If-None-Match": st.sampled_from(["*", '"x"', 'W/"x"']) | VALUES,
        "If-Modified-Since": st.sampled_from(["Wed, 21 Oct 2026 07:28:00 GMT"]) | VALUES,
        "Content-Type": st.sampled_from(["application/json", "multipart/form-data; boundary=x", "text/x"]) | VALUES,
        "X-Forwarded-For": VALUES,
        "X-Request-Id": VALUES,
        "Origin": VALUES,
    },
)

App = tuple[Flask, dict[str, dict[str, str]], Counter[str]]


def _described() -> list[Any]:
    app = create_app(make_settings(), database=Database("sqlite:///never-opened.sqlite3"), model_version=MODEL)
    found = schemathesis.openapi.from_dict(describe(app))
    found.app = app  # requests are written as the test client takes them
    return [operation.ok() for operation in found.get_all_operations()]


@pytest.fixture(scope="module")
def service(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An app with a project, a corrected task on a real clip, one that failed; who may ask; what was answered."""
    folder = tmp_path_factory.mktemp("service")
    shutil.copy(sqlite_template, folder / "stvg.sqlite3")
    database = Database(f"sqlite:///{folder / 'stvg.sqlite3'}")
    (folder / "videos" / "clips").mkdir(parents=True)
    scene = replace(split_scene("demo", 0, difficulty="easy"), n_frames=FRAMES)
    clip = write_clip(folder / "videos" / "clips" / "clip.mp4", scene)
    with database.write() as session:
        task = a_task(session, 1)
        a_correction(session, task, a_suggestion(session, task, file=clip))
        a_job(session, a_task(session, 2, query="the one that fails"), state="failed", reason="It is no video.")
    given = make_settings(
        document_root=folder / "videos", data_dir=folder / "data", interactive_wait_s=0.0, max_body_bytes=50_000
    )
    app = create_app(given, database=database, model_version=MODEL)
    callers = {"nobody": {}, "token": {"X-STVG-Token": API_TOKEN}, "webhook": {"X-STVG-Token": WEBHOOK_TOKEN}}
    callers["guess"] = {"Authorization": "Token wrong"}
    for role in ("annotator", "reviewer", "admin"):
        an_account(database, role, role)
        callers[role] = _session(app, role)
    callers["without the form's token"] = {"Cookie": callers["admin"]["Cookie"]}
    answers: Counter[str] = Counter()
    yield app, callers, answers
    print(
        f"\n{sum(answers.values())} requests, by answer: {', '.join(f'{k}: {n}' for k, n in sorted(answers.items()))}"
    )
    database.close()
    if fuzzing():
        assert sum(answers.values()) >= REQUESTS


def _session(app: Flask, name: str) -> dict[str, str]:
    """What a browser sends that is logged in and posts a form of its page."""
    with app.test_client() as browser:
        log_in(browser, name)
        cookie = browser.get_cookie("stvg_session")
        assert cookie is not None
        with browser.session_transaction() as session:
            return {"Cookie": f"stvg_session={cookie.value}", "X-CSRF-Token": str(session["csrf"])}


def _requests(operation: Any) -> st.SearchStrategy[Any]:
    """Good and bad requests by the description; a route that takes nothing can be asked in one way only."""
    takes = operation.body or operation.query or (operation.path_parameters and operation.path != "/static/{filename}")
    kinds = KINDS if takes else KINDS[:1]
    return st.one_of([operation.as_strategy(kind) for kind in kinds])


@pytest.mark.parametrize("operation", _described(), ids=lambda operation: str(operation.label))
def test_no_request_is_a_defect(service: App, operation: Any) -> None:
    app, callers, answers = service
    documented = {int(status) for status in operation.definition.raw["responses"]} | {404, 405, 308}
    web = app.test_client(use_cookies=False)

    may = "admin" if "session" in str(operation.definition.raw["security"]) else "token"

    @given(_requests(operation), st.just(may) | st.just(may) | st.sampled_from(sorted(callers)), HEADERS, st.data())
    @settings(
        max_examples=math.ceil(REQUESTS / len(OPERATIONS)), suppress_health_check=list(HealthCheck), phases=PHASES
    )
    def send(case: Any, who: str, headers: dict[str, str], data: st.DataObject) -> None:
        if case.path_parameters and data.draw(st.booleans(), "a known row"):
            case.path_parameters = {name: data.draw(KNOWN, name) for name in case.path_parameters}
        if isinstance(case.body, dict) and "project" in case.body and data.draw(st.booleans(), "a known project"):
            case.body["project"] = {"id": 1} if operation.path == "/webhook" else 1
            if "label_config" in case.body:
                case.body["label_config"] = data.draw(st.sampled_from(["", CONFIG]), "interface")
        case.headers.clear()  # the credentials that it makes up are almost never right
        sent = case.as_transport_kwargs(headers={**headers, **callers[who]})
        answer = web.open(**sent)
        answers[str(answer.status_code)] += 1
        assert answer.status_code < 500, answer.text
        assert answer.status_code in documented, answer.text
        if answer.is_json and answer.status_code >= 400 and operation.path != "/ready":
            assert list(answer.json) == ["error"] and answer.json["error"].endswith("."), answer.text
        answer.close()

    send()
