"""A process that decodes for this one, so that a file that hangs or kills the decoder costs that process alone."""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stvg_core.errors import VideoError
from stvg_core.tube import VideoInfo
from stvg_core.video.child_wire import Closed, SharedMemory, Wire, info_from_json

Alive = Callable[[], None]
"""Called while an answer is waited for, and with each answer. It may raise, to stop the work."""

READER = "stvg_core.video.reader:VideoReader"
_TICK_S = 0.25
_OUR_SETTINGS = "STVG_"


@dataclass(frozen=True)
class ChildLimits:
    """What one decoding process may take.

    Attributes:
        seconds: without an answer (a picture, or what is in a file), and without a word that it moves on towards one.
        memory_bytes: of address space; 0 sets no limit.
        in_all_s: seconds for one answer, also where it moves on.
    """

    seconds: float
    memory_bytes: int = 0
    in_all_s: float = math.inf


class DecodingChild:
    """One decoding process. Use it from one thread at a time.

    Args:
        reader: ``module:name`` of what opens a file there.

    Attributes:
        memory: where it leaves pictures.
        served: how many files it has opened.
    """

    def __init__(self, limits: ChildLimits, reader: str = READER) -> None:
        self._limits = limits
        self.memory, self.served = SharedMemory.new(), 0
        ours, its = socket.socketpair()
        with its:
            settings = {
                "socket": its.fileno(), "memory": self.memory.descriptor, "reader": reader, "seconds": limits.seconds,
                "memory_bytes": limits.memory_bytes,
            }  # fmt: skip
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "stvg_core.video.child_main", json.dumps(settings)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=_environment(),
                pass_fds=(its.fileno(), self.memory.descriptor),
            )  # fmt: skip
        self._wire = Wire(ours)
        self._end = weakref.finalize(self, _end, self._process, self._wire, self.memory)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._end.alive and self._process.poll() is None

    def ask(self, request: dict[str, Any], at: str, alive: Alive | None = None) -> Iterator[dict[str, Any]]:
        """The answers as they come; the last one has ``last``.

        The process is killed where an answer does not come, where ``alive`` raises, or where the answers are not read
        to their end: it would go on with work that nobody waits for.

        Args:
            at: what is asked for, for a person: "frame 3 of a.mp4".

        Raises:
            VideoError: the file cannot be used, or the process hung, crashed or needed too much memory with it.
        """
        ended = False
        try:
            self._send(request, at)
            while not ended:
                answer = self._receive(at, alive)
                ended = bool(answer.get("last"))
                self._check(answer, at)
                yield answer
        finally:
            if not ended:
                self.kill()

    def last(self, request: dict[str, Any], at: str, alive: Alive | None = None) -> dict[str, Any]:
        """The one answer to what has one. Raises as :meth:`ask`."""
        [answer] = self.ask(request, at, alive)
        return answer

    def described(self, answer: dict[str, Any]) -> VideoInfo:
        """What an answer says of a file."""
        times = None
        if answer["times"]:
            times = np.empty(answer["info"]["n_frames"], np.float64)
            self.memory.take(times)
        return info_from_json(answer["info"], times)

    def kill(self) -> None:
        """End the process at once; it can be called twice."""
        self._end()

    def _send(self, request: dict[str, Any], at: str) -> None:
        try:
            self._wire.send(request)
        except Closed:
            raise VideoError(self._why_ended(at)) from None

    def _receive(self, at: str, alive: Alive | None) -> dict[str, Any]:
        end = time.monotonic() + self._limits.in_all_s
        until, moved = self._deadline(), False
        while True:
            left = min(until, end) - time.monotonic()
            try:
                answer = self._wire.receive(max(0.001, min(left, _TICK_S)))
            except Closed:
                raise VideoError(self._why_ended(at)) from None
            if alive is not None:
                alive()
            if answer is None and left > 0:
                continue
            if answer is not None and not answer.get("moves_on"):
                return answer
            if answer is not None:
                moved, until = True, self._deadline()
                if time.monotonic() < end:
                    continue
            raise VideoError(self._too_slow(at, moved and end <= until))

    def _deadline(self) -> float:
        """Until when the next word of the process is waited for from now on, in ``time.monotonic`` seconds."""
        return time.monotonic() + self._limits.seconds

    def _check(self, answer: dict[str, Any], at: str) -> None:
        error = answer.get("error")
        if error == "memory":
            self.kill()  # what it holds may be incomplete
            raise VideoError(self._too_much_memory(at))
        if error == "video":
            raise VideoError(answer["text"])
        if error is not None:
            self.kill()
            raise RuntimeError(f"the decoding process failed at {at}:\n{answer['text']}")

    def _why_ended(self, at: str) -> str:
        try:
            code = self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            return f"The decoder stopped answering at {at}: the file may be damaged. It is left."
        if code == -signal.SIGXCPU:
            return f"The decoder needed the processor for too long at {at}: the file may be damaged. It is left."
        if code in (-signal.SIGKILL, -signal.SIGABRT):
            return (
                f"The decoder was ended by the system at {at}, perhaps for lack of memory. The file is left. Scale the "
                "video down, or give the machine more memory."
            )
        how = f"exit code {code}"
        with suppress(ValueError):
            how = signal.Signals(-code).name if code < 0 else how
        return f"The decoder crashed ({how}) at {at}: the file may be damaged. It is left."

    def _too_slow(self, at: str, moved: bool) -> str:
        if moved:
            return f"The decoder needed more than {self._limits.in_all_s:g} s in all at {at}, and was ended."
        return (
            f"The decoder did not answer for {self._limits.seconds:g} s at {at}: the file may be damaged. It is left. "
            "Convert the video to H.264 mp4, or raise STVG_DECODE_SECONDS."
        )

    def _too_much_memory(self, at: str) -> str:
        return (
            f"The decoder needs more than {self._limits.memory_bytes / (1 << 20):.0f} MiB of memory at {at}. The file "
            "is left. Scale the video down, or raise STVG_DECODE_MEMORY_BYTES."
        )


def _end(process: subprocess.Popen[bytes], wire: Wire, memory: SharedMemory) -> None:
    process.kill()
    process.wait()
    wire.close()
    memory.close()


def _environment() -> dict[str, str]:
    """Ours without the settings, which hold secrets, and with what this process has found its modules by."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OUR_SETTINGS)}
    # Threads of libraries that are not used there, and an arena of memory for each of the decoder's, would only take
    # address space.
    return kept | {
        "PYTHONPATH": os.pathsep.join(part or str(Path.cwd()) for part in sys.path),
        "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"    }  # fmt: skip
