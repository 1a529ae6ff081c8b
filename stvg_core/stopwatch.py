"""Where do the seconds go?"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Stopwatch:
    """Seconds per stage, added up; what a GPU was given to do in a stage belongs to it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            torch = sys.modules.get("torch")  # who has not loaded it gives no GPU anything to do
            if torch is not None and torch.cuda.is_initialized():
                with suppress(RuntimeError):  # what was wrong before is under way already
                    torch.cuda.synchronize()
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started
