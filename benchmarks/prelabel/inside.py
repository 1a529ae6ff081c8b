"""One worker process of a measured run: it loads, says so, waits for a line, works, and says what it took.

Its one argument is JSON: ``settings`` of the service, the ``project``, and ``slept``: seconds in place of a model.
"""

from __future__ import annotations

import json
import os
import sys
import time

from backend.bootstrap import open_worker
from backend.jobs.engine import Engine
from backend.settings import Settings
from backend.testing import FakeEngine
from benchmarks.prelabel.usage import Usage, children, peak_bytes


def main() -> None:
    asked = json.loads(sys.argv[1])
    engine: Engine | None = None
    if asked["slept"] is not None:
        engine = FakeEngine(seconds=asked["slept"])
    else:
        import torch  # nothing that is slept needs it

        torch.set_num_threads(1)
    process = open_worker(Settings(**asked["settings"]), engine=engine, project_id=asked["project"])
    before = Usage.now()
    _say({"ready": True, "cpu_s": before.cpu})
    sys.stdin.readline()
    began = time.time()
    process.run_project()
    used = Usage.now().since(before)
    peaks = [peak_bytes(pid) for pid in children(os.getpid())]
    _say(
        {
            "began": began, "ended": time.time(), "own_s": used.own, "children_s": used.children,
            "peak_bytes": peak_bytes(os.getpid()), "children_peak_bytes": peaks,
        }
    )  # fmt: skip


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
