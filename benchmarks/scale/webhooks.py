"""Are webhooks kept at 100/s, with and without a busy worker, and how fast are they read?"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.scale import bodies, sending
from benchmarks.scale.client import Address, ask
from benchmarks.scale.target import PROTOCOL, Target

RATE = 100.0
MORE = 150.0
"""Webhooks per second, more than is asked for: how many of them a worker reads says what it could read."""
ANSWER_S = 0.05
"""The fake engine's time for a sentence."""

_CALL = 100
_PATIENCE_S = 120.0


def alone(target: Target) -> dict[str, Any]:
    """Nothing but the web process."""
    with target.code.serve() as address:
        before = target.count("event")
        seen, _ = _send(target, address, RATE)
        stored = target.settles_at("event", before + seen["sent"]) - before
    return seen | {"stored": stored, "lost": seen["sent"] - stored}


def beside_a_worker(target: Target, rate: float = RATE) -> dict[str, Any]:
    """A worker grounds without a pause and reads the events; afterwards it may read what is left.

    ``behind_s``: how long that takes. At 100 webhooks a second not more than nearly 100 can be read in one.
    """
    jobs = int(target.seconds / ANSWER_S * 1.5) + 10
    root = target.files(bodies.new_videos(0, jobs, target.tasks))
    code = target.code.with_env(STVG_DOCUMENT_ROOT=str(root))
    with code.serve() as address:
        for first in range(0, jobs, _CALL):
            body = bodies.predict_new(first, min(_CALL, jobs - first), target.tasks)
            answer = ask(address, "POST", "/predict", body=body, headers=PROTOCOL, limit=target.limit)
            if answer.status != 200:
                raise RuntimeError(f"/predict answered {answer.status}")
        done = target.count("job", "state = 'done'")
        with code.inside("worker.py", "--model-version", target.model_version, "--seconds", str(ANSWER_S)) as worker:
            _wait(lambda: target.count("job", "state = 'done'") > done or worker.poll() is not None)
            done, before = target.count("job", "state = 'done'"), target.count("event")
            cpu = _cpu_seconds(worker.pid)
            seen, began = _send(target, address, rate)
            sent, cpu = time.monotonic(), _cpu_seconds(worker.pid) - cpu
            while_sending, grounded = _read(target), target.count("job", "state = 'done'") - done
            read, ended = _watch(target, before + seen["sent"], while_sending, sent)
    stored = target.count("event") - before
    return seen | {
        "stored": stored, "lost": seen["sent"] - stored,
        "read_while_sending_per_s": round(while_sending / (sent - began), 1),
        "read_per_s": round(read / (ended - began), 1), "behind_s": round(ended - sent, 1), "unread": stored - read,
        "unreadable": target.count("event", "state = 'failed'"), "grounded_per_s": round(grounded / (sent - began), 1),
        "worker_cores": round(cpu / (sent - began), 2),
    }  # fmt: skip


def _send(target: Target, address: Address, rate: float) -> tuple[dict[str, Any], float]:
    """Latencies of the webhooks of ``target.seconds``, and when the first was sent."""
    with sending.start(address, target, rate=rate, count=int(rate * target.seconds)) as webhooks:
        began = time.monotonic()
        return webhooks.finish(), began


def _watch(target: Target, wanted: int, read: int, ended: float) -> tuple[int, float]:
    """Events read until all are, or nothing happens any more; and when the last one was.

    What was not answered in time may still be on its way into the database.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and not (read == target.count("event") == wanted):
        time.sleep(0.2)
        if (now := _read(target)) > read:
            read, ended = now, time.monotonic()
    return read, ended


def _cpu_seconds(process: int) -> float:
    """What a process has used of all cores, on Linux."""
    used = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]  # user and system
    return sum(map(int, used)) / os.sysconf("SC_CLK_TCK")


def _read(target: Target) -> int:
    return target.count("event", "state <> 'new'")


def _wait(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not met() and time.monotonic() < deadline:
        time.sleep(0.2)
