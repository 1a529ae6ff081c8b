"""Logs as JSON: one object per line that says what it belongs to, and no secret in any of them."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from typing import Any

import pytest
from flask.testing import FlaskClient

from backend import logs
from backend.logs import JsonFormatter, RedactingFormatter, configure_logging
from tests.http.conftest import API_TOKEN, BASIC, make_settings

ODD = 'pass"word\\with \n é %s'


def record(message: str, *args: object, error: bool = False) -> logging.LogRecord:
    info = None
    if error:
        try:
            raise RuntimeError(f"it said {BASIC[1]} and {ODD}")
        except RuntimeError:
            info = sys.exc_info()
    return logging.LogRecord("backend.x", logging.ERROR, "f", 1, message, args, info)


def line(formatter: logging.Formatter, *args: Any, **more: Any) -> dict[str, Any]:
    text = formatter.format(record(*args, **more))
    assert "\n" not in text and text.isascii()
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.fixture(autouse=True)
def _nothing_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_of_process", {})
    logs.note(request_id=None, job=None)


def test_a_line_is_an_object() -> None:
    found = line(JsonFormatter(), "job %d: %s", 3, "dø\nne")
    assert set(found) == {"time", "level", "logger", "message"}
    assert (found["level"], found["logger"], found["message"]) == ("ERROR", "backend.x", "job 3: dø\nne")
    assert found["time"].endswith("Z") and "T" in found["time"]


def test_what_it_belongs_to() -> None:
    logs.note_process(worker="host:1")
    logs.note(job=3, request_id="r-1")
    found = line(JsonFormatter(), "x")
    assert found.pop("time") and found == {
        "level": "ERROR", "logger": "backend.x", "message": "x", "worker": "host:1", "job": 3, "request_id": "r-1",
    }  # fmt: skip
    logs.note(job=None)
    found = line(JsonFormatter(), "x")
    assert "job" not in found and found["request_id"] == "r-1"
    elsewhere: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: elsewhere.append(logs.context()))
    thread.start()
    thread.join()
    assert elsewhere == [{"worker": "host:1"}], "another thread works on something else"


@pytest.mark.parametrize("secret", [BASIC[1], ODD])
def test_no_secret_leaves_in_any_field(secret: str) -> None:
    formatter = JsonFormatter([*make_settings().secrets(), ODD])
    logs.note(request_id=f"x{secret}")
    found = line(formatter, "%s: Authorization: Token %s", secret, API_TOKEN, error=True)
    whole = json.dumps(found, ensure_ascii=False)
    escaped = json.dumps(secret, ensure_ascii=False)[1:-1], json.dumps(secret)[1:-1]
    assert not any(part in whole for part in (secret, *escaped, API_TOKEN, BASIC[1]))
    assert "RuntimeError" in found["exception"] and "[hidden]" in found["exception"] and "[hidden]" in found["message"]


@pytest.mark.parametrize("kind", [RedactingFormatter, JsonFormatter])
def test_arguments_that_do_not_fit_are_cleaned_too(kind: type[RedactingFormatter]) -> None:
    text = kind([BASIC[1]]).format(record("one %s", BASIC[1], "too many 100%"))
    assert BASIC[1] not in text and "too many 100%" in text


def test_the_text_form_is_as_it_was() -> None:
    logs.note(job=3)
    assert RedactingFormatter().format(record("said")).endswith(" ERROR backend.x: said")


def test_one_handler_writes_all(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    try:
        configure_logging("info", [API_TOKEN], "json")
        logging.getLogger("gunicorn.error").info("a %s", API_TOKEN)
        logging.getLogger("backend").debug("not wanted")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    [only] = stream.getvalue().splitlines()
    assert json.loads(only)["message"] == "a [hidden]"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("abc-1.2_Z", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("", False),
        ("-a", False),
        ("a b", False),
        ("é", False),
    ],
)
def test_a_request_has_an_id(web: FlaskClient, given: str, taken: bool) -> None:
    answers = [web.get("/health", headers={"X-Request-Id": given}).headers["X-Request-Id"] for _ in range(2)]
    assert (answers == [given, given]) if taken else (len(set(answers)) == 2 and all(len(a) == 32 for a in answers))


def test_the_lines_of_a_request_carry_its_id(web: FlaskClient) -> None:
    seen: list[dict[str, Any]] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(json.loads(JsonFormatter().format(record)))

    keeper = Keeper()
    logging.getLogger("backend").addHandler(keeper)
    try:
        web.post("/webhook", data=b"{", auth=BASIC, headers={"X-Request-Id": "mine-1"})
    finally:
        logging.getLogger("backend").removeHandler(keeper)
    assert [entry["request_id"] for entry in seen] == ["mine-1"] and logs.context() == {}
