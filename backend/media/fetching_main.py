"""The process that fetches: answers what its parent asks for, and ends with it.

Started by :mod:`backend.media.fetching_child`. Hosts are checked here, where the connections are made.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, BinaryIO, cast

from backend.media.errors import MediaError, MediaUnavailable
from backend.media.fetching_wire import source_from_json
from backend.media.watch import LOOK_UP
from stvg_core.children.serving import Serving, begin
from stvg_core.errors import StvgError

_AT_ITS_END_S = 1.0
"""Seconds for a thread whose answer was taken to end."""
_BEAT_BYTES, _BEAT_S = 1 << 20, 0.25
"""So many bytes or seconds from one word that bytes came to the next."""


def main() -> None:
    """Fetch what the parent process asks for, until it closes the connection."""
    told = begin()
    _be_silent()
    module, _, name = told["fetcher"].partition(":")
    Fetching(told, getattr(import_module(module), name)).run()


class Fetching(Serving):
    """Fetches one address after the other.

    Args:
        fetcher: a :data:`backend.media.fetching.Fetch`.
    """

    near_bytes = 32 << 20

    def __init__(self, told: dict[str, Any], fetcher: Callable[..., tuple[str, int]]) -> None:
        super().__init__(told)
        self._fetcher = fetcher

    def do_fetch(self, asked: dict[str, Any]) -> dict[str, Any]:
        source = source_from_json(asked["source"], self._headers)
        file = Written(asked["descriptor"], lambda more: self.moves_on(more=more))
        try:
            sha256, size = self._fetcher(source, asked["url"], cast(BinaryIO, file), None)
        finally:
            file.close()
        return {"sha256": sha256, "size": size}

    def expected(self, error: Exception) -> dict[str, Any] | None:
        if isinstance(error, StvgError):
            return {"error": "unavailable" if isinstance(error, MediaUnavailable) else "media", "text": str(error)}
        if isinstance(error, OSError) and error.errno is not None:
            return {"error": "file", "number": error.errno, "text": error.strerror or ""}
        return None

    def lacks_memory(self, error: Exception) -> bool:
        """What was refused was refused, however much memory there was."""
        refused = isinstance(error, MediaError) and not isinstance(error, MediaUnavailable)
        return not refused and super().lacks_memory(error)

    def spent(self) -> bool:
        """Does something go on that was given up, or would a peak of its memory be held against the next address?"""
        given_up = [thread for thread in threading.enumerate() if thread.name == LOOK_UP]
        for thread in given_up:
            thread.join(_AT_ITS_END_S)
        return self.short_of_memory() or any(thread.is_alive() for thread in given_up)

    def _headers(self) -> Mapping[str, str]:
        """What signs a request to Label Studio: the parent has it, and renews it."""
        self.moves_on(needs="headers")
        headers: Mapping[str, str] = self.next_message()["headers"]
        return headers


class Written:
    """The parent's open file, and a word to the parent when bytes were written.

    Args:
        tell: gets how many more there are.
    """

    def __init__(self, descriptor: int, tell: Callable[[int], None]) -> None:
        self._descriptor, self._tell = descriptor, tell
        self._more, self._told = 0, time.monotonic()

    def write(self, data: bytes) -> int:
        """All of it; raises OSError where there is no room."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self._more += len(data)
        now = time.monotonic()
        if self._more >= _BEAT_BYTES or now - self._told >= _BEAT_S:
            self._tell(self._more)
            self._more, self._told = 0, now
        return len(data)

    def close(self) -> None:
        os.close(self._descriptor)


def _be_silent() -> None:
    """Addresses may hold secrets, and nothing here knows which: what is wrong is told to the parent alone."""
    logging.lastResort = None
    warnings.simplefilter("ignore")
    threading.excepthook = lambda args: None


if __name__ == "__main__":
    main()
