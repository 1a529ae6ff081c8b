"""The program that is measured, from this checkout or another: run a command, serve, work, and what that took."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import BinaryIO

from benchmarks.scale.client import ask

ROOT = Path(__file__).parent.parent.parent
INSIDE = Path(__file__).parent / "inside"
USER, PASSWORD = "scale", "scale-benchmark"
_STVG = "from backend.cli.main import main; main()"
_START_S = 120.0


@dataclass(frozen=True)
class Ran:
    """A command that ended, or was stopped after its time limit (``over``)."""

    seconds: float
    peak_mb: float
    status: int
    over: bool
    output: str
    errors: str

    def check(self) -> Ran:
        """Raises RuntimeError with what it said where it failed."""
        if self.status and not self.over:
            raise RuntimeError(f"a measured command failed with status {self.status}: {self.errors[-2000:]}")
        return self

    def figures(self) -> dict[str, float | bool]:
        return {"seconds": round(self.seconds, 2), "peak_mb": round(self.peak_mb, 1), "over_limit": self.over}


@dataclass(frozen=True)
class Code:
    """A checkout, what it is called in the tables, and the environment of its processes."""

    name: str
    checkout: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def with_env(self, **env: str) -> Code:
        return Code(self.name, self.checkout, {**self.env, **env})

    def model_version(self) -> str:
        """Of the embedded model: predictions are known by it."""
        said = self.run(["--version"], limit=_START_S).check().output
        return next(line.split()[-1] for line in said.splitlines() if line.startswith("embedded model"))

    def run(self, arguments: list[str], *, limit: float, stdin: str | None = None) -> Ran:
        """Run ``stvg`` with arguments; stopped after ``limit`` seconds."""
        with TemporaryFile() as out, TemporaryFile() as err, TemporaryFile() as given, TemporaryDirectory() as folder:
            given.write((stdin or "").encode())
            given.seek(0)
            report = Path(folder) / "report.json"
            launch = [str(INSIDE / "launch.py"), str(report), str(limit), sys.executable, "-P", "-c", _STVG]
            process = self._start([*launch, *arguments], stdin=given, stdout=out, stderr=err)
            try:
                process.wait()
            finally:
                _stop(process)
            out.seek(0), err.seek(0)
            said, complained = out.read().decode("utf-8", "replace"), err.read().decode("utf-8", "replace")
            if not report.exists():
                raise RuntimeError(f"stvg {arguments[0]} could not be started: {complained[-2000:]}")
            return Ran(**json.loads(report.read_text()), output=said, errors=complained)

    @contextmanager
    def serve(self) -> Iterator[tuple[str, int]]:
        """``stvg serve`` on a free port; its host and port, once it answers."""
        address = ("127.0.0.1", free_port())
        with self._running(["-P", "-c", _STVG, "serve", "--port", str(address[1])]) as (process, errors):
            deadline = time.monotonic() + _START_S
            while not _answers(address):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"stvg serve did not start: {_tail(errors)}")
                time.sleep(0.1)
            yield address

    @contextmanager
    def inside(self, script: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A script of ``benchmarks/scale/inside``, run on the checkout's own modules until the block ends."""
        with self._running([str(INSIDE / script), *arguments]) as (process, errors):
            yield process
            if process.poll() is not None:
                raise RuntimeError(f"{script} ended by itself: {_tail(errors)}")

    @contextmanager
    def _running(self, arguments: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], BinaryIO]]:
        with TemporaryFile() as errors:
            process = self._start(arguments, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
            try:
                yield process, errors
            finally:
                _stop(process)

    def _start(self, arguments: list[str], **files: BinaryIO | int) -> subprocess.Popen[bytes]:
        known = {key: value for key, value in os.environ.items() if not key.startswith("STVG_")}
        env = {
            **known, "PYTHONPATH": str(self.checkout), "OMP_NUM_THREADS": "1", "STVG_LOG_LEVEL": "WARNING",
            "STVG_USERNAME": USER, "STVG_PASSWORD": PASSWORD, **self.env,
        }  # fmt: skip
        command = [sys.executable, *arguments]
        return subprocess.Popen(command, env=env, cwd=self.checkout, start_new_session=True, **files)  # type: ignore[call-overload, no-any-return]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _answers(address: tuple[str, int]) -> bool:
    try:
        return ask(address, "GET", "/health", limit=5.0).status == 200
    except OSError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """By SIGTERM, with whatever it started; by force where that is not enough."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _tail(errors: BinaryIO) -> str:
    errors.seek(0)
    return errors.read().decode("utf-8", "replace")[-2000:]
