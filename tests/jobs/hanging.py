"""Engines that hang in different ways; each leaves a file beside the videos when it begins to."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path
from typing import Any

from backend.media.decoding import reporting
from backend.media.download import Downloader
from backend.media.fetching_child import FetchingProcesses
from stvg_core.children.child import ChildLimits
from stvg_core.video.child_processes import DecodingProcesses
from tests.jobs.conftest import Loop


def sleeps(loop: Loop) -> None:
    """Python code that never reports."""

    def ground(path: Path, query: str, progress: Any) -> Any:
        (loop.videos / "hangs").touch()
        while True:
            time.sleep(0.01)

    loop.engine.ground = ground  # type: ignore[method-assign]


def holds_the_main_thread(loop: Loop) -> None:
    """A library's call that does not return: handlers of signals written in Python never run."""

    def ground(path: Path, query: str, progress: Any) -> Any:
        (loop.videos / "hangs").touch()
        libc = ctypes.CDLL(None)
        while True:
            libc.sleep(3600)

    loop.engine.ground = ground  # type: ignore[method-assign]


def holds_the_lock(loop: Loop) -> None:
    """A library's call that does not return and keeps the interpreter's lock: no thread of the worker runs."""

    def ground(path: Path, query: str, progress: Any) -> Any:
        (loop.videos / "hangs").touch()
        while True:
            ctypes.PyDLL(None).sleep(3600)

    loop.engine.ground = ground  # type: ignore[method-assign]


def fetches_for_ever(loop: Loop) -> None:
    """A server that hangs the process that fetches from it."""
    media: Any = loop.worker.media
    processes = FetchingProcesses(3600, 0, 3600, fetcher="tests.media.hostile:hangs")

    def fetch(source: Any, url: str, file: Any, alive: Any) -> tuple[str, int]:
        def seen() -> None:
            if os.fstat(file.fileno()).st_size:
                (loop.videos / "hangs").touch()
            alive()

        return processes.fetch(source, url, file, seen)

    media._document_root, media._downloader = None, Downloader(label_studio_url="http://ls.example")
    media._fetch = fetch


def decodes_for_ever(loop: Loop) -> None:
    """A decoder in a process of its own that hangs."""
    decoding = DecodingProcesses(ChildLimits(3600), reader="tests.video.hostile:hangs")

    def ground(path: Path, query: str, progress: Any) -> Any:
        def seen(share: float, stage: str) -> None:
            if path.with_suffix(".pid").exists():
                (loop.videos / "hangs").touch()
            progress(share, stage)

        with reporting(decoding, seen) as report:
            report(0.1, "decode")
            return decoding.open(path)

    loop.engine.ground = ground  # type: ignore[method-assign]
