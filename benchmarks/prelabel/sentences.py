"""What do several sentences on one video save when they are leased together?

The same sentences go through the same worker code three times: on one video and leased together; on one video and
leased one by one (``STVG_SHARED_SENTENCES=1``); and on as many copies of the video, so that nothing is shared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.bootstrap import LoadedGrounder, open_worker
from backend.settings import Settings
from benchmarks.prelabel import crew
from benchmarks.prelabel.given import Asked, copied, many_sentences, queued
from benchmarks.prelabel.usage import Usage
from benchmarks.report import ratios, spread
from benchmarks.scale.places import Place

TOGETHER, ONE_BY_ONE, APART = "leased together", "leased one by one", "a video each"


def measure(folder: Path, where: Place, *, count: int, seconds: float, rounds: int, ahead: int) -> dict[str, Any]:
    """CPU seconds of each way, in turn; a first round with one sentence warms up."""
    asked = many_sentences(folder, count, seconds)
    settings = Settings(data_dir=folder / "data", database_url=where.url("none"), device="cpu", ahead=ahead)
    engine = LoadedGrounder(settings)
    took: dict[str, list[float]] = {TOGETHER: [], ONE_BY_ONE: [], APART: []}
    for number in range(-1, rounds):
        some = asked[:1] if number < 0 else asked
        for name in took:
            cpu = _cpu(engine, settings, where, _given(name, some, number), count if name == TOGETHER else 1)
            if number >= 0:
                took[name].append(cpu)
    return {
        "sentences": count,
        "cpu_s": {name: spread(times) for name, times in took.items()},
        "over_together": {name: ratios(times, took[TOGETHER]) for name, times in took.items()},
    }


def _given(name: str, asked: list[Asked], turn: int) -> list[Asked]:
    """On new files each time."""
    if name == APART:
        return [Asked(copied(one.video, f"apart-{turn}-{nth}"), one.query) for nth, one in enumerate(asked)]
    video = copied(asked[0].video, f"{name.replace(' ', '-')}-{turn}")
    return [Asked(video, one.query) for one in asked]


def _cpu(engine: LoadedGrounder, settings: Settings, where: Place, asked: list[Asked], shared: int) -> float:
    """Seconds of the worker and its child for all of these sentences."""
    with queued(where, "sentences", asked, engine.model_version) as (url, project):
        more = {"database_url": url, "shared_sentences": shared}
        process = open_worker(settings.model_copy(update=more), engine=engine, project_id=project)
        before = Usage.now()
        process.run_project()
        used = Usage.now().since(before)
        process.worker.database.close()
        crew.all_done(url, len(asked))
    return used.cpu
