"""Are two workers twice as fast as one? The model's time is slept: queue, leases and database are what is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.testing import FakeEngine
from benchmarks.prelabel import crew
from benchmarks.prelabel.given import Asked, queued
from benchmarks.report import ratios, spread
from benchmarks.scale.places import Place


def measure(
    folder: Path, where: Place, *, jobs: int, slept: float, numbers: list[int], rounds: int, ahead: int
) -> dict[str, Any]:
    """Seconds from the first worker's start to the last one's end, for each number of workers in turn."""
    asked = []
    for number in range(jobs):
        video = folder / f"{number}.mp4"
        video.write_text(f"video {number}")  # nobody decodes it
        asked.append(Asked(video, "the red box"))
    seconds: dict[int, list[float]] = {number: [] for number in numbers}
    for _ in range(rounds):
        for number in numbers:
            with queued(where, "workers", asked, FakeEngine().model_version) as (url, project):
                _, ended = crew.work(url, project, folder / "data", number, jobs=jobs, slept=slept, ahead=ahead)
            seconds[number].append(max(one["ended"] for one in ended) - min(one["began"] for one in ended))
    one = seconds[numbers[0]]
    return {
        "jobs": jobs,
        "slept_s": slept,
        "seconds": {number: spread(taken) for number, taken in seconds.items()},
        "times_as_fast": {number: ratios(one, taken) for number, taken in seconds.items()},
        "of_the_slept_time": {number: ratios([jobs * slept / number] * rounds, seconds[number]) for number in numbers},
    }
