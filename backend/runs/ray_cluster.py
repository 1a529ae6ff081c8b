"""The only file that imports Ray: how a run starts its workers in a Ray cluster, and hears of them.

The driver starts, watches and counts. It never carries frames, jobs or results: those are in the database. Settings go
to an actor in a call, from this process to that one, so that they are in no list of actors, no runtime environment and
no log of Ray's.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

from backend.runs.actors import Actor, Ended, Lost, Waits, Works
from backend.runs.child import RunError
from backend.runs.ray_actor import Order, WorkerActor

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when a cluster is started: nothing is reported anywhere

import ray
import ray.exceptions as rayx

_SIDE_BY_SIDE = 5
"""Calls that an actor answers at one time: waiting, for two things, leaving, stopping."""
_CONNECT_S = 10.0
_NUMBERS = re.compile(r"(class_name|actor_id|pid|name|namespace|ip): |The actor died unexpectedly before")
"""Lines of Ray's that say nothing to a person who is told which worker on which machine."""
_STORE_BYTES = 80 * 2**20
"""No object is kept; Ray's least size."""


Given = ParamSpec("Given")
Found = TypeVar("Found")


def _answering(call: Callable[Given, Found]) -> Callable[Given, Found]:
    """A cluster that does not answer is an error of the run, said in one sentence."""

    @functools.wraps(call)
    def answered(*given: Given.args, **named: Given.kwargs) -> Found:
        try:
            return call(*given, **named)
        except rayx.RayError as error:
            raise RunError(f"The Ray cluster does not answer: {_reason(error)}") from None

    return answered


class RayCluster:
    """The cluster that this process is connected to.

    Args:
        address: of a running cluster, "auto" for the one of this machine; None starts one for this machine only.
        gpus, cpus: of each worker.
        clean: takes secrets out of what is said.

    Raises:
        RunError: there is no such cluster.
    """

    def __init__(self, address: str | None, *, gpus: float, cpus: float, clean: Callable[[str], str]) -> None:
        self._gpus, self._cpus, self._clean = gpus, cpus, clean
        self.order: Callable[[], Order] | None = None
        options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        if address is None:
            options |= {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
        if address is not None:
            _require_reachable(address)
        kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            ray.init(address=address or "local", **options)
        except Exception as error:
            said = self._clean(_reason(error))
            raise RunError(f"The Ray cluster {address or 'of this machine'} cannot be used: {said}") from None
        finally:
            if threading.current_thread() is threading.main_thread():
                for number, handler in kept.items():  # Ray sets its own
                    signal.signal(number, handler)
        self._actor = ray.remote(WorkerActor)

    @_answering
    def start(self, avoid: Collection[str]) -> Actor:
        """One more actor, which begins when the cluster has a place for it."""
        assert self.order is not None
        options: dict[str, Any] = {"label_selector": {"ray.io/node-id": f"!in({','.join(sorted(avoid))})"}}
        # No restart by Ray: who counts the deaths and gives up must be one, and that is the run.
        handle = (
            self._actor.options(
                num_gpus=self._gpus, num_cpus=self._cpus, max_restarts=0, max_task_retries=0,
                max_concurrency=_SIDE_BY_SIDE, **(options if avoid else {}),
            )
            .remote()
        )  # fmt: skip
        return RayActor(handle, self.order(), self._clean)

    @_answering
    def nodes(self) -> list[str]:
        return [str(node["NodeID"]) for node in ray.nodes() if node["Alive"]]

    @_answering
    def machines(self) -> list[str]:
        """Their addresses."""
        return sorted({str(node["NodeManagerAddress"]) for node in ray.nodes() if node["Alive"]})

    @_answering
    def room(self) -> str:
        total, free = ray.cluster_resources(), ray.available_resources()
        needs = _amounts({"GPU": self._gpus, "CPU": self._cpus})
        has = ", ".join(f"{total.get(kind, 0):g} {kind}s ({free.get(kind, 0):g} free)" for kind in ("GPU", "CPU"))
        hint = ""
        if self._gpus and not total.get("GPU"):
            hint = ". Without GPUs: --gpus-per-worker 0"
        return f"each needs {needs}; the cluster has {has} on {len(self.nodes())} machines{hint}"

    @_answering
    def stop(self, actors: Sequence[Actor]) -> None:
        if not ray.is_initialized():
            return
        try:
            ours = [actor for actor in actors if isinstance(actor, RayActor)]
            asked = [ref for ref in (actor.stop() for actor in ours) if ref is not None]
            if asked:
                ray.wait(asked, num_returns=len(asked), timeout=ours[0].grace_s + 5.0)
            for actor in ours:
                with suppress(RunError):  # a cluster that is gone has ended it by itself
                    actor.drop()
        finally:
            ray.shutdown()


class RayActor:
    """One actor, with the calls that are under way."""

    def __init__(self, handle: Any, order: Order, clean: Callable[[str], str]) -> None:
        self._handle, self._clean = handle, clean
        self.grace_s = order.grace_s
        self._begin = handle.begin.remote(order)
        self._where = handle.__ray_call__.remote(_node)
        self._at: Works | None = None
        self._wait: Any = None
        self._loaded: Any = None

    @_answering
    def look(self) -> Waits | Works | Ended | Lost:
        if self._at is None:
            return self._begun()
        if not _ready(self._wait):
            if not self._at.loaded:
                self._at = replace(self._at, loaded=self._has_loaded())
            return self._at
        try:
            end = ray.get(self._wait)
        except rayx.ActorUnavailableError:  # out of reach for the moment: it is asked again, and is dead or is not
            self._wait = self._handle.wait.remote()
            return self._at
        except rayx.RayError as error:
            return Lost(self._clean(_reason(error)))
        return Ended(end.status, self._clean(end.tail), end.log)

    @_answering
    def leave(self) -> None:
        self._handle.leave.remote()

    @_answering
    def drop(self) -> None:
        ray.kill(self._handle)

    @_answering
    def stop(self) -> Any:
        """The call, to be waited for; None where the actor has not begun."""
        return None if self._at is None else self._handle.stop.remote()

    def _begun(self) -> Waits | Works | Lost:
        if not _ready(self._begin) or not _ready(self._where):
            return Waits()
        try:
            begun, node = ray.get([self._begin, self._where])
        except rayx.RayActorError as error:  # what the actor could not import is an error at its start
            if error.actor_init_failed:
                return Lost(self._clean(_start_error(str(error))), began=False)
            return Lost(self._clean(_reason(error)))
        except Exception as error:
            return Lost(self._clean(_reason(error)), began=False)
        self._at = Works(begun.machine, node, begun.worker, loaded=False)
        self._wait, self._loaded = self._handle.wait.remote(), self._handle.loaded.remote()
        return self._at

    def _has_loaded(self) -> bool:
        if not _ready(self._loaded):
            return False
        try:
            return bool(ray.get(self._loaded))
        except rayx.ActorUnavailableError:
            self._loaded = self._handle.loaded.remote()
            return False
        except rayx.RayError:
            return False  # it is gone; the call that waits for its end says why


def _require_reachable(address: str) -> None:
    """Ray itself tries for minutes. Raises RunError."""
    host, mark, port = address.rpartition(":")
    if not mark or not port.isdecimal():
        return  # "auto", and what Ray has a word for
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
    except (OSError, OverflowError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise RunError(f"No Ray cluster answers at {address} ({said}). Is its head running?") from None


def _node(actor: object) -> str:
    """Runs in the actor."""
    return str(ray.get_runtime_context().get_node_id())


def _ready(ref: Any) -> bool:
    return bool(ray.wait([ref], timeout=0)[0])


def _reason(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not _NUMBERS.match(line)]
    return " ".join(told)[:400] or type(error).__name__


def _start_error(said: str) -> str:
    """The last line of a traceback, and where that was."""
    where = re.search(r"\bip=([^,)\s]+)", said)
    last = [line.strip() for line in said.splitlines() if line.strip()][-1]
    return f"{last[:600]} (on {where[1]})" if where else last[:600]


def _amounts(needs: Mapping[str, float]) -> str:
    return " and ".join(f"{amount:g} {kind}" for kind, amount in needs.items() if amount) or "nothing"
