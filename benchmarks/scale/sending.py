"""Starts the sender of webhooks and sums up what it saw."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from benchmarks.scale.client import Address, milliseconds
from benchmarks.scale.programs import ROOT
from benchmarks.scale.target import Target


@dataclass
class Sending:
    """Webhooks that are on their way; :meth:`finish` waits for the last. Use it as a context manager."""

    process: subprocess.Popen[str]
    count: int

    def __enter__(self) -> Sending:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:  # the measurement failed
            self.process.kill()
        self.process.wait()

    @property
    def over(self) -> bool:
        """Was the last one sent, and answered or given up?"""
        return self.process.poll() is not None

    def finish(self) -> dict[str, Any]:
        """Latencies of those that were answered in time, and how many were not."""
        output, _ = self.process.communicate()
        if self.process.returncode:
            raise RuntimeError("the sender of webhooks failed")
        answers = json.loads(output)
        good = [answer["seconds"] for answer in answers if answer["status"] == 200]
        statuses = [answer["status"] for answer in answers]
        return {
            "sent": self.count, "answered": len(good), "no_answer_in_time": statuses.count(0) + statuses.count(-1),
            "refused_503": statuses.count(503),
            "refused_otherwise": sum(status not in (200, 503, 0, -1) for status in statuses),
            **milliseconds(answer["seconds"] for answer in answers),
        }  # fmt: skip


def start(address: Address, target: Target, *, rate: float, count: int) -> Sending:
    """Begin to send; the bodies are made before the first one goes."""
    options = {"rate": rate, "count": count, "tasks": target.tasks, "model-version": target.model_version}
    command = [sys.executable, "-m", "benchmarks.scale.sender", address[0], str(address[1])]
    command += [f"--{name}={value}" for name, value in options.items()]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    if process.stdout.readline().strip() != "ready":
        raise RuntimeError("the sender of webhooks did not start")
    process.stdin.write("go\n")
    process.stdin.flush()
    return Sending(process, count)
