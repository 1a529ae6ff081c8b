"""Does memory grow with the length of a video? One worker process per length, the same clip again and again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.bootstrap import present_model_version
from backend.settings import Settings
from benchmarks.prelabel import crew
from benchmarks.prelabel.given import Asked, clips, long_video, queued
from benchmarks.scale.places import Place


def measure(folder: Path, where: Place, *, minutes: list[float], seconds: float, ahead: int) -> dict[str, Any]:
    """Peaks of the worker and of its largest decoding process, in MiB, by length in minutes."""
    [source] = clips(folder, 1, seconds)
    version = present_model_version(Settings(device="cpu"))
    found = {}
    for length in minutes:
        video = folder / f"{length:g}-minutes.mp4"
        frames = long_video(source.video, video, 60 * length)
        size = video.stat().st_size
        with queued(where, "memory", [Asked(video, source.query)], version) as (url, project):
            _, [ended] = crew.work(url, project, folder / f"data-{length:g}", 1, jobs=1, ahead=ahead)
        video.unlink()
        found[length] = {
            "frames": frames,
            "file_mib": round(size / 2**20, 1),
            "worker_mib": round(ended["peak_bytes"] / 2**20),
            "child_mib": round(max(ended["children_peak_bytes"], default=0) / 2**20),
            "cpu_s": round(ended["own_s"] + ended["children_s"], 1),
        }
    return {"by_minutes": found}
