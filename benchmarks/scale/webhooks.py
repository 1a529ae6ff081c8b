"""Are webhooks kept at 100/s, with and without a busy worker, and how fast are they read?"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.scale import bodies, sending
from benchmarks.scale.client import ask
from benchmarks.scale.target import PROTOCOL, Target

RATE = 100.0
ANSWER_S = 0.05
"""The fake engine's time for a sentence."""

_CALL = 100
_PATIENCE_S = 120.0


def alone(target: Target) -> dict[str, Any]:
    """Nothing but the web process."""
    with target.code.serve() as address:
        return _send(target, address)


def beside_a_worker(target: Target) -> dict[str, Any]:
    """A worker grounds without a pause and reads the events; afterwards it may read what is left."""
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
            done = target.count("job", "state = 'done'")
            began = time.monotonic()
            seen = _send(target, address)
            sent = time.monotonic()
            read, grounded = seen["stored"] - _waiting(target), target.count("job", "state = 'done'") - done
            _wait(lambda: _waiting(target) == 0)
            ended = time.monotonic()
            left = _waiting(target)
    return seen | {
        "read_while_sending_per_s": round(read / (sent - began), 1),
        "read_per_s": round((seen["stored"] - left) / (ended - began), 1),
        "unread": left, "unreadable": target.count("event", "state = 'failed'"),
        "grounded_per_s": round(grounded / (sent - began), 1),
    }  # fmt: skip


def _send(target: Target, address: tuple[str, int]) -> dict[str, Any]:
    """Latencies and losses of the webhooks of ``target.seconds``."""
    amount, before = int(RATE * target.seconds), target.count("event")
    options: dict[str, Any] = {
        "rate": RATE,
        "count": amount,
        "tasks": target.tasks,
        "model_version": target.model_version,
    }
    with sending.start(address, **options) as webhooks:
        seen = webhooks.finish()
    # What was not answered in time may still be on its way into the database.
    stored = target.settles_at("event", before + amount) - before
    return seen | {"stored": stored, "lost": amount - stored}


def _waiting(target: Target) -> int:
    return target.count("event", "state = 'new'")


def _wait(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not met() and time.monotonic() < deadline:
        time.sleep(0.2)
