"""What does one webhook cost the worker that reads it?"""

from __future__ import annotations

import json
import time
from typing import Any

from benchmarks.scale import bodies
from benchmarks.scale.target import Target

_PER_SECOND = 100
_PATIENCE_S = 300.0


def measure(target: Target) -> dict[str, Any]:
    """CPU milliseconds and statements per event: reading it, and comparing it with what others said of the task.

    As many events as come in ``target.seconds`` at 100 a second.
    """
    count = int(target.seconds * _PER_SECOND)
    sent, report = target.folder / "bodies.jsonl", target.folder / "reader.json"
    sent.write_bytes(b"\n".join(bodies.webhook(nth, target.tasks, target.model_version) for nth in range(count)))
    report.unlink(missing_ok=True)
    with target.code.inside("reader.py", "--bodies", str(sent), "--report", str(report)) as reader:
        deadline = time.monotonic() + _PATIENCE_S
        while not report.exists() and reader.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
    found = json.loads(report.read_text())
    figures: dict[str, Any] = {"unread": count - found["read"]}
    for name in ("reading", "comparing"):
        figures[f"{name}_cpu_ms"] = round(1000 * found[name]["cpu_s"] / count, 2)
        figures[f"{name}_statements"] = round(found[name]["statements"] / count, 2)
    return figures
