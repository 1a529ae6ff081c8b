"""How long does a reviewer wait for a page?"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from html import unescape
from typing import Any

from benchmarks.scale.client import Address, Answer, ask, form, milliseconds
from benchmarks.scale.target import Target

NAME, WORD = "scale-admin", "scale benchmark, a long password"
WORDS = ("colour", "000123", "PERSON+MP4", "7", "who+picks+up+BOX+mp4")
TIMES, ENOUGH_S = 5, 30.0
"""Each page is asked so often, or until so many seconds have passed."""

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
_SEEN = re.compile(r'name="seen" value="([^"]*)"')
_TASKS = re.compile(r'href="(/review/tasks/\d+[^"]*)"')
_DECISION = re.compile(r'action="(/review/tasks/\d+/decision[^"]*)"')
_ROW = re.compile(r'name="row" value="([^"]+)"')
_LAST = re.compile(r'rel="last"[^>]*href="([^"]+)"|href="([^"]+)"[^>]*rel="last"')


def measure(target: Target) -> dict[str, Any]:
    """The queue in several orders and under filters, task pages, and decisions."""
    added = target.code.run(
        ["users", "add", NAME, "--role", "admin", "--password-stdin"], limit=target.limit, stdin=WORD + "\n"
    )
    added.check()
    with target.code.serve() as address:
        browser = Browser(address, target.limit)
        browser.log_in()
        first = browser.get("/review/?state=to+review")
        tasks = [unescape(link) for link in _TASKS.findall(first.text())]
        return {
            "queue": _several(lambda _: browser.get("/review/")),
            "to_review": _several(lambda _: browser.get("/review/?state=to+review")),
            "by_disagreement": _several(lambda _: browser.get("/review/?sort=disagreement")),
            "by_annotator": _several(lambda nth: browser.get(f"/review/?annotator={1 + nth}")),
            "search": _several(lambda nth: browser.get(f"/review/?search={WORDS[nth]}")),
            "search_for_nothing": _several(lambda _: browser.get("/review/?search=no+such+word+anywhere")),
            "far_back": _several(lambda _: browser.get(_far(first.text(), target.tasks))),
            "task": _several(lambda nth: browser.get(tasks[nth % len(tasks)])),
            "decision": _decisions(browser, tasks),
            **_accept_together(browser, first.text()),
        }


class Browser:
    """Keeps the session's cookies."""

    def __init__(self, address: Address, limit: float) -> None:
        self._address, self._limit = address, limit
        self._cookies: dict[str, str] = {}

    def log_in(self) -> None:
        token = _found(_TOKEN, self.get("/login").text())
        answer = self.post("/login", {"csrf_token": token, "name": NAME, "password": WORD})
        if answer.status != 303:
            raise RuntimeError(f"the log-in was answered {answer.status}")

    def get(self, path: str) -> Answer:
        answer = self._ask("GET", path)
        if answer.status != 200:
            raise RuntimeError(f"{path} was answered {answer.status}")
        return answer

    def post(self, path: str, fields: Mapping[str, str | list[str]]) -> Answer:
        return self._ask("POST", path, form(fields))

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        headers["Accept"] = "text/html"
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        answer = ask(self._address, method, path, body=body, headers=headers, limit=self._limit)
        for cookie in answer.cookies:
            name, _, value = cookie.split(";")[0].partition("=")
            self._cookies[name] = value
        return answer


def _decisions(browser: Browser, tasks: list[str]) -> dict[str, float]:
    """Accept task by task as the form does it; the page that was looked at before is not timed."""
    began = time.monotonic()
    taken: list[float] = []
    for path in tasks[:TIMES]:
        page = browser.get(path).text()
        fields = {"csrf_token": _found(_TOKEN, page), "seen": _found(_SEEN, page), "decision": "accepted"}
        answer = browser.post(unescape(_found(_DECISION, page)), fields)
        if answer.status != 303:
            raise RuntimeError(f"a decision was answered {answer.status}")
        taken.append(answer.seconds)
        if time.monotonic() - began > ENOUGH_S:
            break
    return milliseconds(taken)


def _accept_together(browser: Browser, queue: str) -> dict[str, dict[str, float]]:
    """The preview of accepting several and the press of its button, twice; nothing of an older code without it."""
    if "/review/bulk" not in queue:
        return {}
    path = "/review/bulk?state=suggested&below=1"
    tasks, looked, pressed = 0, list[float](), list[float]()
    for _ in range(2):
        page = browser.get(path)
        rows = _ROW.findall(page.text())
        looked.append(page.seconds)
        if not rows:
            break
        answer = browser.post(path, {"csrf_token": _found(_TOKEN, page.text()), "row": rows})
        if answer.status != 200:
            raise RuntimeError(f"accepting several was answered {answer.status}")
        tasks, pressed = max(tasks, len(rows)), [*pressed, answer.seconds]
    return {"preview": milliseconds(looked), "accept_together": {"tasks": tasks, **milliseconds(pressed)}}


def _far(page: str, tasks: int) -> str:
    """The last page: by its link where the queue has one, else by its number."""
    link = _LAST.search(page)
    return unescape(link[1] or link[2]) if link else f"/review/?page={tasks // 50 - 1}"


def _several(ask_once: Callable[[int], Answer]) -> dict[str, float]:
    began = time.monotonic()
    taken: list[float] = []
    while len(taken) < TIMES and (not taken or time.monotonic() - began < ENOUGH_S):
        taken.append(ask_once(len(taken)).seconds)
    return milliseconds(taken)


def _found(pattern: re.Pattern[str], page: str) -> str:
    found = pattern.search(page)
    if found is None:
        raise RuntimeError(f"the page has no {pattern.pattern}")
    return found[1]
