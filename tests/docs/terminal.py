"""A terminal that a test types into: one bash from the first command to the last, with what a person would see."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

_DONE = "-- typed and done --"
_GRACE_S = 30.0


class Terminal:
    """Use it as a context manager: at its end nothing runs any more that was started in it.

    Args:
        folder: where it begins.
        environment: all of it; nothing of this process's own comes along.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"], cwd=folder, env=dict(environment), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        self.seen = ""
        """All that was printed so far."""
        self.type("set -e -o pipefail")

    def type(self, commands: str) -> str:
        """Type some lines and wait until the last has ended; returns what they printed.

        A command that fails ends the terminal: an AssertionError shows what it said.
        """
        assert self._bash.stdin is not None and self._bash.stdout is not None
        self._bash.stdin.write(f"{commands.rstrip()}\necho; echo '{_DONE}'\n")
        self._bash.stdin.flush()
        printed = ""
        for line in self._bash.stdout:
            if line.rstrip("\n") == _DONE:
                self.seen += printed
                return printed
            printed += line
        raise AssertionError(f"{commands}\nfailed with status {self._bash.wait()}:\n{printed}")

    def value(self, name: str) -> str:
        """What a variable of the terminal holds."""
        return self.type(f'printf %s "${{{name}}}"').strip()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End bash and what it started. Servers that lead groups of their own end with their parents."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGTERM)
        until = time.monotonic() + _GRACE_S
        while self.running() and time.monotonic() < until:
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.wait()
        for stream in (self._bash.stdin, self._bash.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def running(self) -> bool:
        """Whether bash, or anything that it started, still runs."""
        self._bash.poll()
        try:
            os.killpg(self._bash.pid, 0)
        except ProcessLookupError:
            return False
        return True
