"""A worker's own figures: how long stages take, how jobs end, how full the GPU is."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from backend.cli.worker import show_metrics
from backend.jobs.measuring import MeasuredEngine, MeasuredMedia, Measures
from backend.labelstudio.payloads import TaskPayload
from backend.settings import Settings, SettingsError
from backend.testing import FakeEngine
from tests.jobs.conftest import Loop


def seconds(measures: Measures, stage: str) -> float | None:
    return measures.registry.get_sample_value("stvg_worker_stage_seconds_sum", {"stage": stage})


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Staged(FakeEngine):
    """Spends 1 s before it reports anything, 2 s in its first stage and 4 s in its second."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def ground(self, path: Path, query: str, progress: Any) -> Any:
        for spent, stage in ((1, "decode"), (1, "decode"), (1, "look"), (4, "done")):
            self.clock.now += spent
            progress(0.5, stage)
        return super().ground(path, query, lambda *_: None)


def test_each_stage_is_timed_and_each_report_passed_on(tmp_path: Path) -> None:
    clock = Clock()
    measures, reported = Measures(clock), []
    (tmp_path / "a.mp4").write_bytes(b"video")
    engine = MeasuredEngine(Staged(clock), measures)
    engine.ground(tmp_path / "a.mp4", "the red box", lambda share, stage: reported.append(stage))
    assert reported == ["decode", "decode", "look", "done"]
    found = {stage: seconds(measures, stage) for stage in ("open", "decode", "look", "done")}
    assert found == {"open": 1.0, "decode": 2.0, "look": 4.0, "done": None}


def test_how_jobs_end(loop: Loop) -> None:
    measures = Measures()
    loop.worker.ended = measures.ended
    loop.worker.media = MeasuredMedia(loop.worker.media, measures)
    loop.worker.engine = MeasuredEngine(loop.engine, measures)
    for number, query in enumerate(("the red box", "the blue box", "crash please"), 1):
        loop.ask(loop.task(number, query))
    loop.ask(TaskPayload(9, {"video": "http://127.0.0.1:1/gone.mp4", "query": "the red box"}))
    loop.worker.drain()
    outcomes = {
        name: measures.registry.get_sample_value("stvg_worker_jobs_total", {"outcome": name})
        for name in ("done", "failed", "retried", "lost")
    }
    assert outcomes == {"done": 2.0, "failed": 2.0, "retried": None, "lost": None}
    fetched = measures.registry.get_sample_value("stvg_worker_stage_seconds_count", {"stage": "fetch"})
    assert fetched == 2.0, "three sentences about one video need it once"
    assert (seconds(measures, "ground") or 0) > 0


def test_a_gpu_is_shown_where_torch_uses_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def gpu(*, used: bool) -> SimpleNamespace:
        cuda = SimpleNamespace(
            is_available=lambda: True, is_initialized=lambda: used, device_count=lambda: 1,
            mem_get_info=lambda number: (30, 80), memory_allocated=lambda number: 40,
            max_memory_allocated=lambda number: 45,
        )  # fmt: skip
        return SimpleNamespace(cuda=cuda)

    def shown() -> dict[str, float | None]:
        kinds = ("free", "total", "allocated", "peak")
        ask = Measures().registry.get_sample_value
        return {kind: ask("stvg_worker_gpu_bytes", {"gpu": "0", "kind": kind}) for kind in kinds}

    monkeypatch.setitem(sys.modules, "torch", gpu(used=True))
    assert shown() == {"free": 30.0, "total": 80.0, "allocated": 40.0, "peak": 45.0}
    monkeypatch.setitem(sys.modules, "torch", gpu(used=False))
    assert set(shown().values()) == {None}
    monkeypatch.delitem(sys.modules, "torch")
    assert set(shown().values()) == {None}


def test_the_port_is_opened_on_demand_only(monkeypatch: pytest.MonkeyPatch) -> None:
    show_metrics(Settings(), Measures())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"127\.0\.0\.1:{port}.*STVG_WORKER_METRICS_PORT"):
            show_metrics(Settings(worker_metrics_port=port), Measures())
    measures = Measures()
    measures.ended("done")
    show_metrics(Settings(worker_metrics_port=port), measures)
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=60).text
    assert 'stvg_worker_jobs_total{outcome="done"} 1.0' in text
    monkeypatch.setenv("STVG_WORKER_METRICS_PORT", "")
    assert Settings().worker_metrics_port is None
