"""``stvg worker`` with the fake engine: ``python -m tests.chaos.worker FILE``. Once it works, its number is in FILE."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from backend.bootstrap import open_worker, present_model_version
from backend.jobs import corrections, reconcile
from backend.logs import configure_logging
from backend.settings import load_settings
from backend.testing import FakeEngine

ANSWER_S = 0.3


def main(ready: Path) -> None:
    settings = load_settings()
    configure_logging(settings.log_level, settings.secrets())
    # What a killed process had in hand is soon taken by another.
    corrections.LEASE_S = reconcile.LEASE_S = settings.lease_seconds
    process = open_worker(settings, engine=FakeEngine(present_model_version(settings), seconds=ANSWER_S))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: process.stop())
    ready.write_text(str(os.getpid()))
    process.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
