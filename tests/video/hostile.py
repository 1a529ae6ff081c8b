"""What a decoding child may be told to open files with: readers that do what damaged files make decoders do."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from stvg_core.errors import VideoError
from stvg_core.video import VideoReader
from stvg_core.video.beat import beat


class HangsAtFrame3(VideoReader):
    """Gives frames up to the third."""

    def stream(self, indices: Any = None, *, max_side: int | None = None) -> Iterator[tuple[int, Any]]:
        for index, picture in super().stream(indices, max_side=max_side):
            if index >= 3:
                for_ever()
            yield index, picture


def hangs(source: Any, **options: Any) -> VideoReader:
    """The file's look-through never ends; the process can be known by a file beside the video."""
    path = Path(getattr(source, "path", source))
    path.with_suffix(".pid").write_text(str(os.getpid()))
    return for_ever()


def for_ever() -> Any:
    while True:
        time.sleep(3600)


def crashes(source: Any, **options: Any) -> VideoReader:
    os.kill(os.getpid(), signal.SIGSEGV)
    return for_ever()


def is_killed(source: Any, **options: Any) -> VideoReader:
    os.kill(os.getpid(), signal.SIGKILL)
    return for_ever()


def works_for_ever(source: Any, **options: Any) -> VideoReader:
    while True:
        pass


def needs_memory(source: Any, **options: Any) -> VideoReader:
    held = [np.ones(1 << 27, np.uint8) for _ in range(1000)]
    raise AssertionError(len(held))


def fails(source: Any, **options: Any) -> VideoReader:
    raise RuntimeError("a defect")


def tells(source: Any, **options: Any) -> VideoReader:
    """Says what is loaded and which settings it sees."""
    loaded = sorted({"torch", "decord", "cv2", "transformers"} & set(sys.modules))
    raise VideoError(f"loaded {loaded}, settings {sorted(name for name in os.environ if name.startswith('STVG_'))}")


def moves_on_ten_times(source: Any, **options: Any) -> VideoReader:
    """A long look at a file that comes to its end."""
    for number in range(10):
        beat(number, every=1)
    return VideoReader(source, **options)


def moves_on_three_times(source: Any, **options: Any) -> VideoReader:
    for number in range(3):
        beat(number, every=1)
    return for_ever()
