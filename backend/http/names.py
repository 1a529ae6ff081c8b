"""What are people called? Label Studio's names by its numbers, asked now and then and never while a page waits long.

Nothing is stored: names are Label Studio's, and a person can change theirs. While Label Studio is away, what it said
last is shown; before it ever answered, the names of the accounts that say who they are there (``stvg users add
--label-studio-user``); and where neither is known, the number.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from threading import Lock, Thread
from typing import Any

from sqlalchemy.orm import Session

from backend.db import accounts
from backend.labelstudio.client import LabelStudioClient
from stvg_core.errors import StvgError
from stvg_core.text import clean

logger = logging.getLogger(__name__)

FRESH_S = 300.0
"""So long names are not asked for again, whether Label Studio answered or not."""
WAIT_S = 0.5
"""So long the first page waits for the answer; later ones show what is known."""
_LONGEST = 64


class Names:
    """The names of people, by their numbers in Label Studio. One for all threads of a process."""

    def __init__(
        self,
        label_studio: LabelStudioClient | None,
        *,
        wait_s: float = WAIT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._label_studio = label_studio
        self._wait_s = wait_s
        self._clock = clock
        self._known: dict[int, str] | None = None
        self._asked_at: float | None = None
        self._thread: Thread | None = None
        self._lock = Lock()

    def known(self, session: Session) -> dict[int, str]:
        """All that is known now; Label Studio is asked in the background where that was long ago."""
        self._ask()
        mine = {row.ls_user_id: row.name for row in accounts.every(session) if row.ls_user_id is not None}
        return mine | (self._known or {})

    def wait(self) -> None:
        """Until Label Studio has answered, or could not be asked."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _ask(self) -> None:
        if self._label_studio is None:
            return
        with self._lock:
            running = self._thread is not None and self._thread.is_alive()
            if running or (self._asked_at is not None and self._clock() - self._asked_at < FRESH_S):
                return
            first, self._asked_at = self._asked_at is None, self._clock()
            # A daemon: it does not keep a process that is told to end.
            thread = self._thread = Thread(target=self._fetch, name="ask-names", daemon=True)
            thread.start()
        if first:
            thread.join(self._wait_s)

    def _fetch(self) -> None:
        assert self._label_studio is not None
        try:
            self._known = named(self._label_studio.users())
        except StvgError as error:
            logger.info("the names of people are not known: %s", error)
        except Exception:
            logger.exception("the names of people could not be read")


def named(users: list[dict[str, Any]]) -> dict[int, str]:
    """First and last name, else what they log in with; people of the same name have their number behind it."""
    found = {user["id"]: name for user in users if isinstance(user.get("id"), int) and (name := _name(user))}
    often = Counter(found.values())
    return {number: f"{name} ({number})" if often[name] > 1 else name for number, name in found.items()}


def _name(user: Mapping[str, Any]) -> str:
    whole = " ".join(str(user.get(part) or "") for part in ("first_name", "last_name"))
    texts = (clean(str(text)) for text in (whole, user.get("username") or "", user.get("email") or ""))
    return next((text[:_LONGEST] for text in texts if text), "")
