"""Wait for a state; only what waits in vain is ended by a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

PATIENCE_S = 600.0
"""Ends what waits in vain."""


class Waiting:
    """Waits for conditions.

    Args:
        said: how far everything is, for the error of what waited in vain.
    """

    def __init__(self, said: Callable[[], str]) -> None:
        self._said = said

    def until(self, what: str, condition: Callable[[], bool], *, pause_s: float = 0.05) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, f"in vain: {what}\n{self._said()}"
            time.sleep(pause_s)

    def until_answered(self, what: str, method: str, url: str, **content: Any) -> Any:
        """Ask until it answers well, as a person does who presses the button again; the JSON of the answer."""
        answers: list[Any] = []

        def answered() -> bool:
            found = ask(method, url, **content)
            if found is None or found.status_code >= 400:
                return False
            answers.append(found.json())
            return True

        self.until(what, answered)
        return answers[0]


def ask(method: str, url: str, **content: Any) -> httpx.Response | None:
    """An answer, or None where the process is away or was killed before it."""
    try:
        return httpx.request(method, url, timeout=content.pop("timeout", 10), trust_env=False, **content)
    except httpx.HTTPError:
        return None
