"""What a run decides about its workers in a cluster. The cluster is played; nothing of Ray is needed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import pytest

from backend.runs.actors import Ended, Lost, Waits, Work, WorkerActors, Works, whole_or_part
from backend.runs.child import RunError


@dataclass
class FakeActor:
    avoided: set[str]
    now: Waits | Works | Ended | Lost = field(default_factory=Waits)
    asked: list[str] = field(default_factory=list)

    def look(self) -> Waits | Works | Ended | Lost:
        return self.now

    def leave(self) -> None:
        self.asked.append("leave")

    def drop(self) -> None:
        self.asked.append("drop")


@dataclass
class FakeCluster:
    alive: list[str] = field(default_factory=lambda: ["a", "b"])
    started: list[FakeActor] = field(default_factory=list)
    stopped: list[FakeActor] | None = None

    def start(self, avoid: Collection[str]) -> FakeActor:
        self.started.append(FakeActor(set(avoid)))
        return self.started[-1]

    def nodes(self) -> Collection[str]:
        return self.alive

    def room(self) -> str:
        return "each needs 1 GPU; the cluster has 2"

    def stop(self, actors: Sequence[FakeActor]) -> None:  # type: ignore[override]
        self.stopped = list(actors)


@dataclass
class Played:
    """A run with so many workers; ``work`` and ``now`` are what the database and the clock say."""

    number: int
    lifetime_s: float = 0.0
    work: Work | None = field(default_factory=lambda: Work(100, ()))
    now: float = 0.0
    cluster: FakeCluster = field(default_factory=FakeCluster)

    def __post_init__(self) -> None:
        self.workers = WorkerActors(
            self.cluster, self.number, lambda: self.work, self.lifetime_s, clock=lambda: self.now
        )  # type: ignore[arg-type]

    def look(self, *, progressed: bool = False) -> list[str]:
        return self.workers.ensure(progressed=progressed)

    def begin(self, *nodes: str) -> list[FakeActor]:
        """The workers that wait get their places."""
        waiting = [one for one in self.cluster.started if isinstance(one.now, Waits) and not one.asked]
        for number, (actor, node) in enumerate(zip(waiting, nodes, strict=True)):
            actor.now = Works(f"host-{node}", node, f"host-{node}:{len(self.cluster.started)}{number}")
        self.look()
        return waiting


def test_as_many_as_asked_for_but_no_more_than_videos() -> None:
    played = Played(3, work=Work(2, ()))
    assert played.look() == [] and len(played.cluster.started) == 2
    played.work = Work(3, ())
    assert played.look() == [] and len(played.cluster.started) == 3
    played.look()
    assert len(played.cluster.started) == 3


def test_a_lost_one_is_replaced_and_counted() -> None:
    played = Played(2)
    played.look()
    first, second = played.begin("a", "b")
    first.now = Lost("the node died")
    [said] = played.look()
    assert said.startswith("worker 1 on host-a is lost (the node died); another one is started")
    assert len(played.cluster.started) == 3 and played.workers.restarts == 1 and second.asked == []


def test_losses_without_progress_end_the_run_and_progress_forgives() -> None:
    played = Played(1)
    for _ in range(60):
        played.look(progressed=True)
        played.begin("a")[0].now = Ended(-9, "Killed")
    with pytest.raises(RunError, match=r"25 workers in a row ended before anything was done(?s:.*)Killed"):
        for _ in range(26):
            played.look()
            played.begin("a")[0].now = Ended(-9, "Killed")


def test_a_node_where_workers_cannot_start_is_left_and_said_once() -> None:
    """One of three lands on the bad node each time: it alone is given up, the others work on."""
    played = Played(3)
    played.look()
    played.begin("a", "a", "bad")
    said = []
    for _ in range(3):
        played.cluster.started[-1].now = Ended(1, "loading\nstvg: there is no such model", "/logs/x")
        said += played.look()
        if any(isinstance(one.now, Waits) for one in played.cluster.started):
            assert played.begin("bad")
    assert said == [
        "worker 3 ended on host-bad: stvg: there is no such model (/logs/x)",
        "host-bad is not used any more: 3 workers ended there at their start",
        "worker 3 is given up after 3 tries; 2 are left",
    ]
    assert played.workers.running() == 2
    played.cluster.started[0].now = Lost("gone")
    played.look()
    assert played.cluster.started[-1].avoided == {"bad"}, "no later one is sent there either"


def test_a_worker_that_takes_a_job_is_forgiven_its_first_tries() -> None:
    played = Played(1)
    for _ in range(10):
        played.look()
        [actor] = played.begin("a")
        assert isinstance(actor.now, Works)
        played.work = Work(9, {actor.now.worker})
        played.look()
        actor.now = Ended(1, "no memory")
    assert played.workers.restarts == 9


def test_none_can_start() -> None:
    played = Played(2)
    with pytest.raises(RunError, match=r"No worker can start\. The last one ended:\nno module named stvg"):
        for _ in range(4):
            played.look()
            for actor in played.cluster.started:
                actor.now = Lost("no module named stvg", began=False)


def test_no_machine_is_left() -> None:
    """Many workers, one machine: it is left after three, the rest is not tried on it."""
    played = Played(8, cluster=FakeCluster(["a"]))
    played.look()
    for actor in played.begin(*["a"] * 8):
        actor.now = Ended(1, "stvg: no")
    with pytest.raises(RunError, match=r"on any of the machines\. The last one ended on host-a:\nstvg: no"):
        played.look()


def test_those_without_a_place_are_told_with_numbers_once() -> None:
    played = Played(3)
    played.look()
    played.begin("a", "b", "a")
    played.cluster.started[2].now = Lost("gone")
    played.look()
    played.now += 20
    said = played.look()
    assert said == ["1 of 3 workers have no place yet: each needs 1 GPU; the cluster has 2"]
    assert played.look() == [] and played.begin("b") and played.look() == []


def test_the_surplus_leaves_first_who_waits_then_who_is_idle_never_who_works() -> None:
    played = Played(4)
    played.look()
    busy, idle, late = played.begin("a", "a", "b", "b")[:3]
    last = played.cluster.started[3]
    last.now = Lost("gone")
    played.look()
    waiting = played.cluster.started[4]
    assert isinstance(busy.now, Works) and isinstance(late.now, Works)
    played.work = Work(3, {busy.now.worker, late.now.worker})
    played.look()
    assert (waiting.asked, idle.asked) == (["drop"], [])
    played.work = Work(2, {busy.now.worker, late.now.worker})
    played.look()
    assert (busy.asked, idle.asked, late.asked) == ([], ["leave"], [])
    idle.now = Ended(0)
    assert played.look() == [] and idle.asked == ["leave", "drop"] and len(played.cluster.started) == 5
    played.work = Work(1, {busy.now.worker, late.now.worker})
    assert played.look() == [] and late.asked == [], "both have a job"


def test_work_that_comes_back_gets_workers_again() -> None:
    played = Played(2, work=Work(1, ()))
    played.look()
    played.work = Work(2, ())
    played.look()
    assert len(played.cluster.started) == 2


def test_the_old_are_recycled_one_after_the_other() -> None:
    played = Played(3, lifetime_s=3600.0)
    played.look()
    actors = played.begin("a", "a", "b")
    played.now = 3601.0
    for turn in (1, 2, 3):
        played.look()
        played.look()
        leaving = [one for one in actors if one.asked == ["leave"]]
        assert len(leaving) == 1 and played.workers.recycled == turn
        leaving[0].now = Ended(0)
        assert played.look() == []
        assert len(played.cluster.started) == 3 + turn
        played.begin("a")  # only now the next one goes
    assert [one.asked for one in actors] == [["leave", "drop"]] * 3 and played.workers.restarts == 0


def test_one_that_ends_because_all_is_done_is_no_news() -> None:
    played = Played(1)
    played.look()
    [actor] = played.begin("a")
    actor.now, played.work = Ended(0), Work(0, ())
    assert played.look() == [] and len(played.cluster.started) == 1


def test_a_database_that_is_away_changes_nothing() -> None:
    played = Played(2)
    played.look()
    played.begin("a", "b")
    played.work = None
    assert played.look() == []
    assert [one.asked for one in played.cluster.started] == [[], []]


def test_all_are_stopped_once() -> None:
    played = Played(2)
    played.look()
    played.workers.stop()
    assert played.cluster.stopped == played.cluster.started
    played.workers.stop()
    assert played.cluster.stopped == []


@pytest.mark.parametrize(
    ("gpus", "good"), [(0, True), (0.5, True), (1, True), (2, True), (1.5, False), (float("nan"), False)]
)
def test_parts_of_a_gpu_or_whole_ones(gpus: float, good: bool) -> None:
    assert whole_or_part(gpus) is good


def test_one_that_never_loads_its_model_could_not_start() -> None:
    played = Played(1)
    for turn in (1, 2, 3):
        played.look()
        actor = played.cluster.started[-1]
        actor.now = Works("host-a", "a", f"host-a:{turn}", loaded=False)
        assert played.look() == []
        played.now += 1800.0
        assert played.look() == [] and actor.asked == []
        played.now += 1.0
        if turn < 3:
            said = played.look()
            assert [one for one in said if "had not loaded its model after 1800 s" in one] == said[: turn == 1]
            assert actor.asked == ["drop"] and len(played.cluster.started) == turn + 1
    with pytest.raises(RunError, match=r"No worker can start(?s:.*)had not loaded its model after 1800 s"):
        played.look()


def test_one_that_has_loaded_may_wait_for_work_as_long_as_it_likes() -> None:
    played = Played(1)
    played.look()
    played.begin("a")
    played.now += 1e6
    assert played.look() == [] and played.cluster.started[0].asked == []
