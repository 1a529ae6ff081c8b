"""How long does each stage of a worker's jobs take, how do they end, and how full is the GPU? For Prometheus.

Media and engine are wrapped: what they report as their progress is timed, and nothing else of them changes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from backend.jobs.engine import Answers, Engine, Progress
from backend.jobs.grounding import Media, part_or_all
from backend.media import MediaFile
from stvg_core.tube import Grounding, Segment

if TYPE_CHECKING:
    from stvg_core.proposals.extending import Extended

_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600)
_FETCH, _BEGIN, _DONE = "fetch", "open", "done"


class Measures:
    """A worker's figures, in a registry of their own."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.registry = CollectorRegistry()
        self.clock = clock
        self.stages = Histogram(
            "stvg_worker_stage_seconds",
            "Seconds per stage of a job",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.jobs = Counter("stvg_worker_jobs", "Jobs of this worker by outcome", ["outcome"], registry=self.registry)
        self.registry.register(GpuMemory())

    def ended(self, outcome: str) -> None:
        """A job ended: done, failed, retried, lost or stopped."""
        self.jobs.labels(outcome).inc()


class GpuMemory(Collector):
    """Bytes of each GPU that this process sees; nothing where torch is not loaded, or knows no GPU."""

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        torch = sys.modules.get("torch")
        if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
            return
        family = GaugeMetricFamily("stvg_worker_gpu_bytes", "GPU memory", labels=["gpu", "kind"])
        for number in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(number)
            kinds = {"free": free, "total": total, "allocated": torch.cuda.memory_allocated(number)}
            kinds["peak"] = torch.cuda.max_memory_allocated(number)
            for kind, size in kinds.items():
                family.add_metric([str(number), kind], size)
        yield family


class EndpointCosts(Collector):
    """What was asked of the model behind the endpoint, and how much of it."""

    def __init__(self, now: Callable[[], Mapping[str, int]]) -> None:
        self._now = now

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        for name, value in self._now().items():
            family = CounterMetricFamily(f"stvg_worker_llm_{name}", _COUNTED[name])
            family.add_metric([], value)
            yield family


_COUNTED = {
    "requests": "Requests to the endpoint, repetitions included", "repetitions": "Requests that were repeated",
    "pictures": "Pictures sent to the endpoint", "tokens_in": "Tokens that the endpoint read, as it counts them",
    "tokens_out": "Tokens that the endpoint wrote, as it counts them",
}  # fmt: skip


class _Stages:
    """Times the stages between two reports of progress; passes each report on."""

    def __init__(self, measures: Measures, progress: Progress) -> None:
        self._measures, self._progress = measures, progress
        self._stage, self._since = _BEGIN, measures.clock()

    def __call__(self, share: float, stage: str) -> None:
        if stage != self._stage:
            self.end()
            self._stage = stage
        self._progress(share, stage)

    def end(self) -> None:
        moment = self._measures.clock()
        if self._stage != _DONE:
            self._measures.stages.labels(self._stage).observe(moment - self._since)
        self._since = moment


class MeasuredEngine:
    """An engine whose stages are timed."""

    def __init__(self, engine: Engine, measures: Measures) -> None:
        self._engine, self._measures = engine, measures

    @property
    def model_version(self) -> str:
        return self._engine.model_version

    def become(self, model_version: str) -> bool:
        return self._engine.become(model_version)

    def prepare(self, path: Path, alive: Callable[[], None], segment: Segment | None = None) -> None:
        self._engine.prepare(path, alive, **part_or_all(segment))

    def ground(self, path: Path, query: str, progress: Progress, segment: Segment | None = None) -> Grounding:
        stages = _Stages(self._measures, progress)
        try:
            return self._engine.ground(path, query, stages, **part_or_all(segment))
        finally:
            stages.end()

    def ground_many(
        self, path: Path, queries: Sequence[str], progress: Progress, segment: Segment | None = None
    ) -> Answers:
        stages = _Stages(self._measures, progress)
        try:
            with closing(self._engine.ground_many(path, queries, stages, **part_or_all(segment))) as answers:
                for answer in answers:
                    stages.end()  # what is done with it is no stage of the next
                    yield answer
        finally:
            stages.end()

    def follow(self, path: Path, query: str, frame: int, box: Sequence[float], progress: Progress) -> Grounding:
        stages = _Stages(self._measures, progress)
        try:
            return self._engine.follow(path, query, frame, box, stages)
        finally:
            stages.end()

    def extend(
        self, path: Path, frame: int, box: Sequence[float], first: int, last: int, progress: Progress
    ) -> Extended:
        stages = _Stages(self._measures, progress)
        try:
            return self._engine.extend(path, frame, box, first, last, stages)
        finally:
            stages.end()


class MeasuredMedia:
    """Where videos come from, with the time that fetching takes."""

    def __init__(self, media: Media, measures: Measures) -> None:
        self._media, self._measures = media, measures

    def fetch(
        self, ref: str, *, task: int | None = None, project: int | None = None,
        alive: Callable[[], None] | None = None,
    ) -> MediaFile:  # fmt: skip
        began = self._measures.clock()
        try:
            return self._media.fetch(ref, task=task, project=project, alive=alive)
        finally:
            self._measures.stages.labels(_FETCH).observe(self._measures.clock() - began)
