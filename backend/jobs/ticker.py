"""How do small chores run beside the grounding, again and again, without ever stopping it?"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from stvg_core.errors import StvgError

logger = logging.getLogger(__name__)


class Ticker:
    """Calls a chore every ``seconds`` in a thread; a chore that fails is logged and called again."""

    def __init__(self, name: str, chore: Callable[[], object], seconds: float, stop: threading.Event) -> None:
        self._chore, self._seconds, self._stop = chore, seconds, stop
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout: float | None = None) -> None:
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._chore()
            except StvgError as error:
                logger.warning("%s: %s", self._thread.name, error)
            except Exception:
                logger.exception("%s: internal error", self._thread.name)
            self._stop.wait(self._seconds)
