"""What runs in a Ray actor: it starts one worker process beside it, waits for its end and passes wishes on.

The actor takes no job and touches no model, so a model that crashes or eats the memory ends its process and not the
actor. Ray gives the actor its GPU (CUDA_VISIBLE_DEVICES), which the process inherits. Nothing of Ray is imported here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backend.runs.child import Child, RunError, worker_command
from backend.runs.handing_on import PREFIX, taken_over


@dataclass(frozen=True)
class Order:
    """What the worker of an actor is to do.

    Attributes:
        arguments: of ``stvg worker``.
        settings: variables of the run, as :func:`backend.runs.handing_on.handed_on` gives them; they hold secrets.
        logs: name of the folder below the machine's data folder for its log.
        grace_s: between SIGTERM and an end by force.
    """

    arguments: tuple[str, ...]
    settings: Mapping[str, str] = field(repr=False)
    logs: str
    grace_s: float = 15.0


@dataclass(frozen=True)
class Begun:
    """Where a worker runs, and what it calls itself."""

    machine: str
    worker: str


@dataclass(frozen=True)
class End:
    """How a worker ended: its exit status (below 0: a signal's number), the last lines of its log, and the file."""

    status: int
    tail: str
    log: str


class WorkerActor:
    """One worker. Its methods are called side by side: one waits while another asks the worker to leave."""

    def __init__(self) -> None:
        self._child: Child | None = None
        self._refused = ""
        self._grace_s = 0.0

    def begin(self, order: Order) -> Begun:
        """Start the worker; where that cannot be done, :meth:`wait` says so."""
        # Ray blocks signals in its processes, and who is started inherits that.
        with contextlib.suppress(ValueError):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
        env = taken_over(order.settings, os.environ)
        machine = socket.gethostname()
        folder = Path(env[f"{PREFIX}DATA_DIR"]) / order.logs
        self._grace_s = order.grace_s
        try:
            self._child = Child(worker_command(*order.arguments), env, folder / f"worker-{machine}-{os.getpid()}.log")
        except RunError as error:
            self._refused = str(error)
            return Begun(machine, "")
        return Begun(machine, self._child.name)

    def loaded(self) -> bool:
        """Once the worker has loaded its model; False where it ended before."""
        return self._child is not None and self._child.loaded(wait_s=None)

    def wait(self) -> End:
        """Until the worker has ended."""
        if self._child is None:
            return End(1, self._refused, "")
        status = self._child.process.wait()
        self._child.tidy()
        return End(status, self._child.tail(), str(self._child.log))

    def leave(self) -> None:
        """Ask the worker to end after its job."""
        if self._child is not None:
            self._child.leave()

    def stop(self) -> None:
        """The worker puts its job back and ends; by force after a while."""
        if self._child is not None and self._child.process.poll() is None:
            self._child.ask()
            self._child.end(self._grace_s)
