"""The decoding child: answers what its parent asks for, and ends with it.

Started by :mod:`stvg_core.video.child`. Its memory and the processor's time without an answer are limited here,
before any file is opened; how long an answer may take is looked at by the parent.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import resource
import signal
import socket
import sys
import threading
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from stvg_core.errors import VideoError
from stvg_core.tube import VideoInfo
from stvg_core.video.beat import heard_by
from stvg_core.video.child_wire import Closed, SharedMemory, Wire, info_from_json, info_to_json
from stvg_core.video.container import Limits
from stvg_core.video.probe import probe
from stvg_core.video.reader import VideoReader

_NEAR = 256 << 20
"""Bytes: a decoder that came so near to its limit may have left pictures out for lack of memory."""


def main() -> None:
    settings = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
    _limit(resource.RLIMIT_CORE, 0)
    with suppress(OSError):  # where the machine runs out of memory, this process goes first
        Path("/proc/self/oom_score_adj").write_text("1000")
    module, _, name = settings["reader"].partition(":")
    reader = getattr(import_module(module), name)
    if settings["memory_bytes"]:
        _limit(resource.RLIMIT_AS, settings["memory_bytes"])
    wire = Wire(socket.socket(fileno=settings["socket"]))
    child = _Child(wire, SharedMemory(settings["memory"]), reader, settings["seconds"], settings["memory_bytes"])
    waiting: SimpleQueue[dict[str, Any]] = SimpleQueue()
    threading.Thread(target=_listen, args=(wire, waiting), daemon=True).start()
    while True:
        child.answer(waiting.get())


def _listen(wire: Wire, waiting: SimpleQueue[dict[str, Any]]) -> None:
    """Ends the process when the parent is gone, also in the middle of an answer."""
    try:
        while (message := wire.receive()) is not None:
            waiting.put(message)
    except Closed:
        os._exit(0)


def _limit(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    with suppress(ValueError, OSError):  # a system without this limit
        resource.setrlimit(which, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


class _Child:
    def __init__(self, wire: Wire, memory: SharedMemory, reader: Any, seconds: float, memory_bytes: int) -> None:
        self._wire, self._memory, self._reader = wire, memory, reader
        self._seconds, self._memory_bytes = seconds, memory_bytes
        self._open: VideoReader | None = None
        self._damage: tuple[str, ...] = ()

    def answer(self, asked: dict[str, Any]) -> None:
        """One request's answers; what cannot be done is an answer too."""
        self._give_time()
        try:
            with heard_by(self._moves_on):
                reply = getattr(self, f"_do_{asked['do']}")(asked)
        except MemoryError:
            reply = {"error": "memory"}
        except VideoError as error:
            reply = {"error": "memory"} if self._short_of_memory() else {"error": "video", "text": str(error)}
        except Exception as error:  # without memory libraries fail in many ways
            full = self._short_of_memory() or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
            reply = {"error": "memory"} if full else {"error": "defect", "text": traceback.format_exc()}
        self._send(reply | {"last": True})

    def _do_probe(self, asked: dict[str, Any]) -> dict[str, Any]:
        return self._described(probe(asked["path"], Limits(**asked["limits"])))

    def _do_open(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._do_close(asked)
        source = Path(asked["path"]) if asked["known"] is None else info_from_json(asked["known"], None)
        self._open = self._reader(source, limits=Limits(**asked["limits"]), kept_bytes=asked["kept_bytes"])
        self._damage = self._open.info.warnings
        return self._described(self._open.info)

    def _do_expect(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._open is not None
        self._open.expect(asked["frames"])
        return {}

    def _do_seconds(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._open is not None
        self._memory.put(np.asarray(self._open.seconds, np.float64))
        return {}

    def _do_read(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._open is not None
        frames = np.array(asked["frames"], np.int64)
        place = 0
        pictures = self._open.stream(frames, max_side=asked["max_side"])
        for (_, picture), second in zip(pictures, self._open.seconds_of(frames).tolist(), strict=True):
            self._memory.put(picture, place)
            place += picture.nbytes
            self._tell({"second": second})
        damage = self._open.info.warnings
        if damage != self._damage and self._short_of_memory():
            return {"error": "memory"}
        self._damage = damage
        return {"warnings": list(damage)}

    def _do_keep(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._open is not None
        self._open.keep(asked["bytes"])
        return {}

    def _do_prepare(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._open is not None
        for _ in self._open.prepare(np.array(asked["frames"], np.int64)):
            self._tell({})
        return {}

    def _do_close(self, asked: dict[str, Any]) -> dict[str, Any]:
        if self._open is not None:
            self._open.close()
        self._open = None
        gc.collect()  # a decoder and its container know each other: until then its pictures' memory stays
        return {}

    def _described(self, info: VideoInfo) -> dict[str, Any]:
        if info.times is not None:
            self._memory.put(np.asarray(info.times, np.float64))
        return {"info": info_to_json(info), "times": info.times is not None}

    def _moves_on(self) -> None:
        self._tell({"moves_on": True})

    def _tell(self, message: dict[str, Any]) -> None:
        """Something before the last answer, which is waited for as long again."""
        self._send(message)
        self._give_time()

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._wire.send(message)
        except Closed:
            os._exit(0)

    def _give_time(self) -> None:
        """The processor's time for the next answer, over all threads: ends a decoder whose parent cannot end it."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        more = self._seconds * (os.cpu_count() or 1) + 1
        _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + more) + 1)

    def _short_of_memory(self) -> bool:
        """FFmpeg takes a picture that it has no memory for as damaged; here damage near the limit is told apart."""
        if not self._memory_bytes:
            return False
        try:
            status = Path("/proc/self/status").read_text()
        except OSError:
            return False
        peak = next((int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmPeak")), 0)
        return peak > self._memory_bytes - _NEAR


if __name__ == "__main__":
    main()
