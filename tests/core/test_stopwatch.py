"""Seconds per stage: what a GPU was given to do in a stage belongs to it."""

from __future__ import annotations

import time

import pytest
import torch

from stvg_core.stopwatch import Stopwatch


class Machine:
    """A clock and a GPU that takes ten seconds for what it was given; both are played."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, begun: bool) -> None:
        self.now, self.queued = 100.0, 0.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: begun)
        monkeypatch.setattr(torch.cuda, "synchronize", self.wait)

    def wait(self) -> None:
        self.now, self.queued = self.now + self.queued, 0.0

    def work(self, host: float, gpu: float) -> None:
        self.now, self.queued = self.now + host, self.queued + gpu


def test_a_stage_ends_when_the_gpu_is_done_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, watch = Machine(monkeypatch, begun=True), Stopwatch()
    with watch("vision"):
        machine.work(host=1, gpu=10)
    with watch("attention"):
        machine.work(host=2, gpu=20)
    with watch("vision"):
        machine.work(host=0.5, gpu=0)
    assert watch.seconds == {"vision": 11.5, "attention": 22.0}


def test_without_a_gpu_nobody_waits_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, watch = Machine(monkeypatch, begun=False), Stopwatch()
    with watch("vision"):
        machine.work(host=1, gpu=10)
    assert watch.seconds == {"vision": 1.0} and machine.queued == 10


def test_what_fails_is_timed_too_and_its_own_error_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, watch = Machine(monkeypatch, begun=True), Stopwatch()

    def broken() -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(torch.cuda, "synchronize", broken)
    with pytest.raises(KeyError, match="first"), watch("vision"):
        machine.work(host=3, gpu=0)
        raise KeyError("first")
    assert watch.seconds == {"vision": 3.0}
