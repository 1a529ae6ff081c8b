"""What does a run take on top of the model?

One process holds the engine of a worker and a Grounder with the same weights, and lets them do the same clips in turn:

- *the run*: ``stvg worker --drain --project``'s own way, from the queue to the stored answer, decoding in a child;
- *the model*: ``Grounder.ground`` on each clip, decoding in this process. "The model's own" has everything that a
  grounding needs from a file that nobody has looked at before: opening, decoding, proposals, the model. Its time
  without opening and decoding is shown beside it.

Kept proposals are removed in between, and each run has a database of its own, so neither knows an answer beforehand.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine as SqlEngine
from sqlalchemy import event

from backend.bootstrap import LoadedGrounder, method_settings, open_worker
from backend.settings import Settings
from benchmarks.prelabel import crew
from benchmarks.prelabel.given import Asked, clips, queued
from benchmarks.prelabel.usage import Usage
from benchmarks.report import ratios, spread
from benchmarks.scale.places import Place
from stvg_core.pipeline import Grounder
from stvg_core.tube import Array, Frames
from stvg_core.video import VideoReader


class TimedReader(VideoReader):
    """A reader whose CPU seconds, all readers together, are counted; it streams nothing."""

    spent_s = 0.0

    def __init__(self, source: Any) -> None:
        with _counted():
            super().__init__(source)

    def read(self, indices: Array, *, max_side: int | None = None) -> Frames:
        with _counted():
            return super().read(indices, max_side=max_side)

    def stream(self, indices: Array | None = None, *, max_side: int | None = None) -> Iterator[tuple[int, Array]]:
        with _counted():
            pictures = list(super().stream(indices, max_side=max_side))
        yield from pictures


@contextmanager
def _counted() -> Iterator[None]:
    began = time.process_time()
    try:
        yield
    finally:
        TimedReader.spent_s += time.process_time() - began


def measure(folder: Path, where: Place, *, count: int, seconds: float, rounds: int, ahead: int) -> dict[str, Any]:
    """CPU seconds and the clock of both ways for all clips, once per round; a first round warms up."""
    asked = clips(folder, count, seconds)
    settings = Settings(data_dir=folder / "data", database_url=where.url("none"), device="cpu", ahead=ahead)
    engine = LoadedGrounder(settings)
    grounder = Grounder.from_pretrained(
        settings.model, device="cpu", settings=method_settings(settings), cache=folder / "own", open_video=TimedReader
    )
    own: list[tuple[Usage, float]] = []
    run: list[tuple[Usage, int]] = []
    for number in range(-1, rounds):
        some = asked[-1:] if number < 0 else asked
        for way in ("model", "run") if number % 2 == 0 else ("run", "model"):
            shutil.rmtree(folder / "own", ignore_errors=True)
            shutil.rmtree(settings.data_dir / "proposals", ignore_errors=True)
            if way == "model":
                own.append(_model(grounder, some))
            else:
                run.append(_run(engine, settings, where, some))
    own, run = own[1:], run[1:]
    theirs, ours = [used for used, _ in own], [used for used, _ in run]
    bare = [used.cpu - reading for used, reading in own]
    return {
        "sentences": len(asked),
        "run_cpu_s": spread(used.cpu / len(asked) for used in ours),
        "of_it_in_the_child_s": spread(used.children / len(asked) for used in ours),
        "model_cpu_s": spread(used.cpu / len(asked) for used in theirs),
        "model_without_decoding_cpu_s": spread(each / len(asked) for each in bare),
        "run_over_model_cpu": ratios([used.cpu for used in ours], [used.cpu for used in theirs]),
        "without_any_decoding_cpu": ratios([used.own for used in ours], bare),
        "run_over_model_clock": ratios([used.clock for used in ours], [used.clock for used in theirs]),
        "statements_per_sentence": spread((statements / len(asked) for _, statements in run), 1),
        "start_up_cpu_s": _start_up(folder, where),
    }


def _model(grounder: Grounder, asked: list[Asked]) -> tuple[Usage, float]:
    TimedReader.spent_s, before = 0.0, Usage.now()
    for one in asked:
        grounder.ground(one.video, one.query)
    return Usage.now().since(before), TimedReader.spent_s


def _run(engine: LoadedGrounder, settings: Settings, where: Place, asked: list[Asked]) -> tuple[Usage, int]:
    statements = 0

    def count(*_: Any) -> None:
        nonlocal statements
        statements += 1

    with queued(where, "overhead", asked, engine.model_version) as (url, project):
        process = open_worker(
            settings.model_copy(update={"database_url": url}), engine=engine, project_id=project
        )  # fmt: skip
        event.listen(SqlEngine, "before_cursor_execute", count)
        before = Usage.now()
        try:
            process.run_project()
            used = Usage.now().since(before)
        finally:
            event.remove(SqlEngine, "before_cursor_execute", count)
            process.worker.database.close()
        crew.all_done(url, len(asked))
    return used, statements


def _start_up(folder: Path, where: Place) -> float:
    """CPU seconds of a worker process until it could take its first job."""
    with queued(where, "nothing", [], "none") as (url, project):
        [ready], _ = crew.work(url, project, folder / "data", 1, jobs=0)
    return float(ready["cpu_s"])
