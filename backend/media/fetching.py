"""Where are videos fetched: in this process, or in others that may be ended?"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from backend.media.cloud import CloudFiles
from backend.media.download import Downloader
from backend.media.watch import Alive

Source = Downloader | CloudFiles
Fetch = Callable[[Source, str, BinaryIO, Alive | None], tuple[str, int]]
"""Writes what an address gives into an open file, as the source's own ``fetch`` does, and raises what that raises."""


def fetch_here(source: Source, url: str, file: BinaryIO, alive: Alive | None) -> tuple[str, int]:
    """In this process."""
    return source.fetch(url, file, alive)


def open_fetching(seconds: float, memory_bytes: int, deadline_s: float) -> Fetch:
    """What fetches with these limits (see the settings ``FETCH_...`` and ``MEDIA_DEADLINE_S``).

    Args:
        seconds: 0: in this process, without limits of memory and processor.
    """
    if seconds == 0:
        return fetch_here
    from backend.media.fetching_child import FetchingProcesses

    return FetchingProcesses(seconds, memory_bytes, deadline_s).fetch
