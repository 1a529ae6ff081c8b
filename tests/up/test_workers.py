"""A worker that ends is started again: so often, after so long, and it is said. No process and no clock is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.processes import Child, ProcessError
from backend.up.workers import STEADY_S, WAITS_S, Workers


class Pretended(Child):
    """A child that runs until the test says that it has ended."""

    def __init__(self, name: str) -> None:
        super().__init__(name, ["no-program"], log=Path(f"/logs/{name}.log"), env={})
        self.starts = 0
        self.tidied = 0
        self.ended: int | None = None

    def start(self) -> None:
        self.starts += 1
        self.ended = None

    def kill(self) -> None:
        self.tidied += 1

    def tail(self, lines: int = 15) -> str:
        return "no GPU is there"

    @property
    def alive(self) -> bool:
        return self.starts > 0 and self.ended is None

    @property
    def status(self) -> int | None:
        return self.ended


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def said() -> list[str]:
    return []


def crew(said: list[str], number: int = 1) -> tuple[Workers, list[Pretended], Time]:
    children, time = [Pretended(f"worker {at}") for at in range(1, number + 1)], Time()
    workers = Workers(children, said.append, time)
    workers.start()
    return workers, children, time


def test_a_worker_that_runs_is_left_alone(said: list[str]) -> None:
    workers, [child], time = crew(said)
    time.now += 10 * STEADY_S
    workers.look()
    assert (child.starts, child.tidied, said) == (1, 0, [])


def test_one_that_ends_is_started_again_after_a_wait_and_both_are_said(said: list[str]) -> None:
    workers, [child, other], time = crew(said, 2)
    child.ended = -9
    workers.look()
    workers.look()
    assert (child.starts, child.tidied) == (1, 1) and len(said) == 1
    assert "worker 1 was ended by signal 9" in said[0] and "/logs/worker 1.log" in said[0]
    assert "in 1 s (1 of 5)" in said[0] and "no GPU is there" in said[0]
    time.now += WAITS_S[0] - 0.01
    workers.look()
    assert child.starts == 1
    time.now += 0.02
    workers.look()
    assert (child.starts, other.starts) == (2, 1)


def test_each_wait_is_longer_and_the_last_end_ends_all(said: list[str]) -> None:
    workers, [child], time = crew(said)
    for wait in WAITS_S:
        child.ended = 1
        workers.look()
        assert f"in {wait:g} s" in said[-1]
        time.now += wait
        workers.look()
    assert child.starts == 1 + len(WAITS_S)
    child.ended = 1
    with pytest.raises(
        ProcessError, match=r"(?s)worker 1 ended with status 1.* 5 times before.*No worker is left.*no GPU"
    ):
        workers.look()


def test_one_that_is_given_up_does_not_end_the_others(said: list[str]) -> None:
    workers, [child, other], time = crew(said, 2)
    for wait in WAITS_S:
        child.ended = 1
        workers.look()
        time.now += wait
        workers.look()
    child.ended = 1
    workers.look()
    assert "given up" in said[-1] and "other workers go on" in said[-1]
    time.now += 10 * STEADY_S
    workers.look()
    assert child.starts == 1 + len(WAITS_S) and other.alive
    other.ended = -15
    workers.look()  # the last one has its own number of starts
    assert "worker 2 was ended by signal 15" in said[-1] and "(1 of 5)" in said[-1]


def test_after_a_long_run_the_earlier_ends_do_not_count(said: list[str]) -> None:
    workers, [child], time = crew(said)
    for _ in range(3 * len(WAITS_S)):
        time.now += STEADY_S
        child.ended = 0
        workers.look()
        assert "ended with status 0" in said[-1] and "(1 of 5)" in said[-1]
        time.now += WAITS_S[0]
        workers.look()
    assert child.starts == 1 + 3 * len(WAITS_S)
