"""Fetching in processes of their own, so that a server or library that hangs or eats memory costs one of them alone."""

from __future__ import annotations

import os
import re
from typing import Any, BinaryIO

from backend.addresses import AddressError, origin, without_secrets
from backend.media.cloud import CloudFiles
from backend.media.download import Downloader
from backend.media.errors import MediaError, MediaUnavailable
from backend.media.fetching import Source
from backend.media.fetching_wire import source_to_json
from backend.media.parts import has_grown
from backend.media.watch import Alive
from stvg_core.children.child import Child, ChildLimits, Why
from stvg_core.children.pool import Pool
from stvg_core.text import shown

FETCHER = "backend.media.fetching:fetch_here"
_GRACE_S = 5.0
"""Seconds after the deadline of a transfer: by then the process has said itself that it is over, unless it hangs."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


class FetchingChild(Child):
    """One process that fetches; it raises MediaError as the source's own ``fetch`` does.

    Args:
        limits: their seconds in all are a few more than ``deadline_s``.
        deadline_s: of one transfer.
        fetcher: ``module:name`` of what fetches there; see :data:`backend.media.fetching.Fetch`.
    """

    name = "fetching"

    def __init__(self, limits: ChildLimits, deadline_s: float, fetcher: str) -> None:
        self._deadline_s = deadline_s
        super().__init__("backend.media.fetching_main", limits, {"fetcher": fetcher})

    def refused(self, answer: dict[str, Any]) -> Exception:
        if answer["error"] == "file":
            return OSError(answer["number"], answer["text"])
        kind = MediaUnavailable if answer["error"] == "unavailable" else MediaError
        return kind(answer["text"])

    def gone(self, why: Why, at: str, how: str = "") -> MediaError:
        limits = self._limits
        if why is Why.SLOW or (why is Why.SILENT and limits.in_all_s <= limits.seconds):
            return MediaUnavailable(f"{at} was not complete after {self._deadline_s:g} s.")
        match why:
            case Why.PROCESSOR:
                return MediaError(f"Fetching {at} needed the processor for too long, and was ended.")
            case Why.CRASHED:
                return MediaError(f"The process that fetched {at} crashed ({how}). Nothing of the video is kept.")
            case Why.MEMORY:
                return MediaError(
                    f"Fetching {at} needs more than {limits.memory_bytes / (1 << 20):.0f} MiB of memory, and was "
                    "ended. The size of a video makes no difference: look at what its server sends, or raise "
                    "STVG_FETCH_MEMORY_BYTES."
                )
            case Why.KILLED | Why.STUCK:
                return MediaUnavailable(
                    f"Fetching {at} was ended by the system, perhaps for lack of memory. Give the machine more memory."
                )
            case _:
                return MediaUnavailable(
                    f"{at} cannot be read: nothing came for {limits.seconds:g} s, and fetching it was ended "
                    "(STVG_FETCH_SECONDS)."
                )


class FetchingProcesses(Pool[FetchingChild]):
    """Processes that fetch, for one program. One is used again for the next address of the same server or bucket only.

    So what a server may do to the process that talks to it touches no other server's videos, and no process that has
    talked to strangers gets Label Studio's token because of another address.

    Args:
        seconds: without a byte, and without an answer.
        memory_bytes: of address space; 0 sets no limit.
        deadline_s: of one transfer; the sources themselves say so sooner.
        idle: how many wait for the next address at most.
        fetcher: see :class:`FetchingChild`.
    """

    def __init__(
        self, seconds: float, memory_bytes: int, deadline_s: float, *, idle: int = 1, fetcher: str = FETCHER
    ) -> None:
        limits = ChildLimits(seconds, memory_bytes, deadline_s + _GRACE_S)
        super().__init__(lambda: FetchingChild(limits, deadline_s, fetcher), idle=idle)

    def fetch(self, source: Source, url: str, file: BinaryIO, alive: Alive | None) -> tuple[str, int]:
        """Have the address written into the open file; its sha256 in hex and its size in bytes.

        Raises:
            MediaUnavailable, MediaError, OSError: as the source's own ``fetch``; and where the process that fetches
                hangs, crashes, or needs too much memory. Then it is gone, and the file holds no video.
        """
        asked = {"do": "fetch", "url": url, "source": source_to_json(source)}
        at = shown(url) if isinstance(source, CloudFiles) else without_secrets(url)
        file.flush()
        has_grown(file, 0)
        child = self.take(_server(source, url))

        def hear(word: dict[str, Any]) -> None:
            has_grown(file, int(word.get("more", 0)))
            if word.get("needs") == "headers" and isinstance(source, Downloader):
                child.tell({"headers": dict(source.label_studio_headers())}, at)

        try:
            answer = child.last(asked, at, alive, moved=hear, file=file.fileno())
        finally:
            self.give_back(child)
        return _checked(answer, file, at)


def _server(source: Source, url: str) -> str:
    """Whom a process talks to first. Addresses that lead nowhere are one place: nobody is asked for them."""
    if isinstance(source, CloudFiles):
        return "/".join(url.strip().split("/")[:3])
    try:
        return "{}://{}:{}".format(*origin(url))
    except AddressError:
        return ""


def _checked(answer: dict[str, Any], file: BinaryIO, at: str) -> tuple[str, int]:
    """What the process says of the file: the cache names it by that."""
    sha256, size = str(answer["sha256"]), int(answer["size"])
    there = os.fstat(file.fileno()).st_size
    if not _SHA256.fullmatch(sha256) or size != there:
        raise MediaUnavailable(f"{at} was fetched as {size} bytes, and {there} of them are on the disk.")
    return sha256, size
