"""A reviewer without a browser, working through the review pages.

Does what a person does there: logs in, opens a task from the queue, decides. The forms are read from the pages, so a
form that a person could not send is not sent here either.
"""

from __future__ import annotations

import html
import re
from types import TracebackType

import httpx

from backend.demo.accounts import REVIEWER
from backend.processes import ProcessError

NAME = REVIEWER

_FIELD = re.compile(r"<input\b[^>]*>")
_NEXT = re.compile(r'rel="next" href="([^"]+)"')
_ATTRIBUTE = re.compile(r'\b(type|name|value)="([^"]*)"')


class Reviewer:
    """One browser session; use it as a context manager. A page that cannot be had raises ProcessError."""

    def __init__(self, url: str, name: str, password: str) -> None:
        self._http = httpx.Client(
            base_url=url, follow_redirects=True, timeout=30, trust_env=False, headers={"Accept": "text/html"}
        )
        try:
            form = hidden_fields(self.page("/login"))
            self._send("/login", form | {"name": name, "password": password})
        except BaseException:
            self._http.close()
            raise

    def __enter__(self) -> Reviewer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._http.close()

    def page(self, address: str) -> str:
        return self._read(self._http.get(address))

    def queued(self) -> set[int]:
        """The tasks in the queue, by our own numbers, from all its pages."""
        found: set[int] = set()
        address: str | None = "/review/"
        while address is not None:
            page = self.page(address)
            found |= {int(number) for number in re.findall(r"/review/tasks/(\d+)", page)}
            following = _NEXT.search(page)
            address = html.unescape(following[1]) if following else None
        return found

    def decide(self, task_id: int, decision: str, *, reason: str = "", comment: str = "") -> None:
        """Press the button of a decision on the task's page, about the version that the page shows."""
        form = hidden_fields(self.page(f"/review/tasks/{task_id}"))
        filled = {"decision": decision, "reason": reason, "comment": comment}
        self._send(f"/review/tasks/{task_id}/decision", form | filled)

    def _send(self, address: str, form: dict[str, str]) -> None:
        self._read(self._http.post(address, data=form, headers={"Origin": str(self._http.base_url)}))

    @staticmethod
    def _read(answer: httpx.Response) -> str:
        if answer.is_error:
            raise ProcessError(f"{answer.request.method} {answer.request.url} was answered with {answer.status_code}.")
        return answer.text


def hidden_fields(page: str) -> dict[str, str]:
    """The inputs that a page has filled in itself and that no person sees."""
    tags = (dict(_ATTRIBUTE.findall(tag)) for tag in _FIELD.findall(page))
    return {tag["name"]: html.unescape(tag.get("value", "")) for tag in tags if tag.get("type") == "hidden"}
