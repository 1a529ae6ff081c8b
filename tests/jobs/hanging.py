"""Engines that hang in different ways; each leaves a file beside the videos when it begins to."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import Any

from backend.media.decoding import reporting
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
