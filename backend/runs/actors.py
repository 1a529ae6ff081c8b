"""Workers on the machines of a cluster. How many are wanted, which must go, and what when one does not start?

Everything is decided here from what the cluster and the database say; :mod:`backend.runs.ray_cluster` does it.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from backend.runs.child import RunError, did_not_load, how_it_ended


@dataclass(frozen=True)
class Waits:
    """The cluster has no place for the worker yet, or is starting it."""


@dataclass(frozen=True)
class Works:
    """It is there. ``machine`` is for people, ``node`` is the cluster's name for it, ``worker`` is in the leases.

    ``loaded``: it has loaded its model, and takes jobs.
    """

    machine: str
    node: str
    worker: str
    loaded: bool = True


@dataclass(frozen=True)
class Ended:
    """Its process ended. ``status`` below 0 is a signal's number; ``tail``: the last lines of the file ``log``."""

    status: int
    tail: str = ""
    log: str = ""


@dataclass(frozen=True)
class Lost:
    """The machine, or what ran there for us, is gone. ``began``: it had been working."""

    reason: str
    began: bool = True


class Actor(Protocol):
    """One worker somewhere in the cluster. No method waits."""

    def look(self) -> Waits | Works | Ended | Lost: ...
    def leave(self) -> None:
        """Let it end after its job."""
        ...

    def drop(self) -> None:
        """Give its place back; what is left of it is ended by force."""
        ...


class Cluster(Protocol):
    """Where workers are started."""

    def start(self, avoid: Collection[str]) -> Actor:
        """Ask for one more worker, not on these nodes."""
        ...

    def nodes(self) -> Collection[str]:
        """Those that are alive."""
        ...

    def room(self) -> str:
        """What one worker needs and what the cluster has, for a person."""
        ...

    def stop(self, actors: Sequence[Actor]) -> None:
        """All of them put their jobs back and end; the cluster is left."""
        ...


@dataclass(frozen=True)
class Work:
    """Videos whose sentences are not all answered, and the names of the workers that hold jobs."""

    videos: int
    holders: Collection[str]


@dataclass
class _Place:
    """One of the workers that should be there."""

    number: int
    actor: Actor | None = None
    at: Works | None = None
    since: float = 0.0
    leaves: bool = False
    failed: int = 0


@dataclass
class WorkerActors:
    """So many workers in a cluster, as long as there is work for so many.

    Attributes:
        work: looks into the database; None where it does not answer.
        lifetime_s: a worker that is older ends after its job and another one begins; 0: never.
        tries: a place where a worker failed so often, one after the other, is given up; nodes likewise.
        lost: so many workers lost in a row, without anything being done in between, end the run.
        load_s: a worker that has not loaded its model after so long could not start.
        patience_s: a worker that has no place for so long is spoken of.
    """

    cluster: Cluster
    number: int
    work: Callable[[], Work | None]
    lifetime_s: float = 0.0
    tries: int = 3
    lost: int = 25
    load_s: float = 1800.0
    patience_s: float = 15.0
    clock: Callable[[], float] = time.monotonic
    restarts: int = 0
    recycled: int = 0
    _places: list[_Place] = field(default_factory=list)
    _bad: Counter[str] = field(default_factory=Counter)
    _gone: int = 0
    _told_waiting: int = 0
    _told: set[str] = field(default_factory=set)
    _reason: str = ""

    def __post_init__(self) -> None:
        self._places = [_Place(number) for number in range(1, self.number + 1)]
        self.lost = max(self.lost, 4 * self.number)

    def ensure(self, *, progressed: bool) -> list[str]:
        """Start those that are missing, let those go that are not needed; what is to be said of both.

        Raises:
            RunError: no worker can start, or they are lost again and again and nothing gets done.
        """
        if progressed:
            self._gone = 0
        # First the workers, then the work: one that ended because all is done is no news.
        seen = [(place, place.actor.look()) for place in self._places if place.actor is not None]
        work = self.work()
        said: list[str] = []
        for place, found in seen:
            said += self._heard(place, found, work)
        if work is not None:
            self._send_away(work)
            self._recycle()
            self._start(work)
        self._nobody_left()
        return said + self._waiting()

    def stop(self) -> None:
        """All workers end, their jobs go back to the queue. Safe to call twice."""
        actors = [place.actor for place in self._places if place.actor is not None]
        self._places = []
        self.cluster.stop(actors)

    def running(self) -> int:
        """Workers that have a place."""
        return sum(place.at is not None for place in self._places)

    def _heard(self, place: _Place, found: Waits | Works | Ended | Lost, work: Work | None) -> list[str]:
        if isinstance(found, Works):
            if place.at is None:
                place.at, place.since = found, self.clock()
            if work is not None and found.worker in work.holders:  # it has loaded its model and taken a job
                place.failed = 0
                self._bad.pop(found.node, None)
            if found.loaded or self.clock() - place.since <= self.load_s:
                return []
            found = Ended(1, f"The worker {did_not_load(self.load_s)}.")
        if isinstance(found, Waits):
            return []
        at, left = place.at, place.leaves
        assert place.actor is not None
        place.actor.drop()
        place.actor, place.at, place.leaves = None, None, False
        if left or (isinstance(found, Ended) and found.status == 0 and (work is None or not work.videos)):
            return []
        self.restarts += 1
        where = "" if at is None else f" on {at.machine}"
        if isinstance(found, Lost) and found.began:
            return self._was_lost(f"worker {place.number}{where} is lost ({found.reason})")
        if isinstance(found, Ended) and found.status <= 0:
            return self._was_lost(f"worker {place.number}{where} {how_it_ended(found.status)}", found.tail)
        return self._failed(place, at, found)

    def _was_lost(self, what: str, tail: str = "") -> list[str]:
        self._gone += 1
        if self._gone >= self.lost:
            more = f" Its last lines:\n{tail}" if tail else ""
            raise RunError(f"{self._gone} workers in a row ended before anything was done. The last: {what}.{more}")
        return [f"{what}; another one is started, and what it had in hand is taken again when its lease runs out"]

    def _failed(self, place: _Place, at: Works | None, found: Ended | Lost) -> list[str]:
        """A worker that could not start costs its place after some tries. What is the same as before is said once."""
        reason = found.reason if isinstance(found, Lost) else found.tail or how_it_ended(found.status)
        where = "" if at is None else f" on {at.machine}"
        said = []
        news = f"{where}: {reason.splitlines()[-1]}"
        if news not in self._told:
            self._told.add(news)
            log = f" ({found.log})" if isinstance(found, Ended) and found.log else ""
            said.append(f"worker {place.number} ended{news}{log}")
        self._reason = f"The last one ended{where}:\n{reason}"
        place.failed += 1
        if at is not None:
            self._bad[at.node] += 1
            if self._bad[at.node] == self.tries:
                said.append(f"{at.machine} is not used any more: {self.tries} workers ended there at their start")
        if place.failed >= self.tries:
            self._places.remove(place)
            said.append(f"worker {place.number} is given up after {place.failed} tries; {len(self._places)} are left")
            if not self._places:
                raise RunError(f"No worker can start. {self._reason}")
        return said

    def _avoided(self) -> set[str]:
        return {node for node, failed in self._bad.items() if failed >= self.tries}

    def _nobody_left(self) -> None:
        """An end with an error where no machine is left that a worker could start on."""
        avoided = self._avoided()
        if not avoided or self.running() or any(node not in avoided for node in self.cluster.nodes()):
            return
        raise RunError(f"No worker can start on any of the machines. {self._reason}")

    def _send_away(self, work: Work) -> None:
        """Those that no video is left for: first who has no place yet, then who has no job, the youngest first."""
        there = [place for place in self._places if place.actor is not None and not place.leaves]
        surplus = len(there) - work.videos
        for place in sorted(there, key=lambda one: (one.at is not None, -one.since)):
            if surplus <= 0:
                return
            if place.actor is None or (place.at is not None and place.at.worker in work.holders):
                continue
            surplus -= 1
            if place.at is None:
                place.actor.drop()
                place.actor = None
            else:
                self._leave(place)

    def _recycle(self) -> None:
        """Few at a time, so that the others work on while a new one loads its model."""
        if not self.lifetime_s:
            return
        leaving = sum(place.leaves or place.at is None for place in self._places if place.actor is not None)
        most = max(1, len(self._places) // 8)
        for place in self._places:
            old = place.at is not None and self.clock() - place.since >= self.lifetime_s
            if old and not place.leaves and leaving < most:
                leaving += 1
                self.recycled += 1
                self._leave(place)

    def _leave(self, place: _Place) -> None:
        assert place.actor is not None
        place.leaves = True
        place.actor.leave()

    def _start(self, work: Work) -> None:
        there = sum(place.actor is not None and not place.leaves for place in self._places)
        for place in self._places:
            if place.actor is None and there < work.videos:
                place.actor, place.since = self.cluster.start(self._avoided()), self.clock()
                there += 1

    def _waiting(self) -> list[str]:
        """How many have no place; said again only when the number is another one."""
        limit = self.clock() - self.patience_s
        waiting = sum(one.actor is not None and one.at is None and one.since <= limit for one in self._places)
        if waiting == self._told_waiting:
            return []
        self._told_waiting = waiting
        if not waiting:
            return []
        return [f"{waiting} of {len(self._places)} workers have no place yet: {self.cluster.room()}"]


def whole_or_part(gpus: float) -> bool:
    """Can Ray give a worker so many GPUs: a part of one, or whole ones?"""
    return gpus >= 0 and math.isfinite(gpus) and (gpus <= 1 or gpus == int(gpus))
