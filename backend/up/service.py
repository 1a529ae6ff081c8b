"""The web process and the workers of one machine, from their start to their end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from backend.processes import Child, ProcessError, own_command, stop_all
from backend.settings import Settings, SettingsError
from backend.up.gpus import names, shared_out
from backend.up.workers import Workers

GRACE_S = 11.0
"""Longer than a worker or the web process takes to end by itself, also one that hangs."""
_LOOK_S = 0.5
_PATIENCE_S = 300.0
_LAST_PORT = 65535


class Service:
    """All processes of one machine. They read the same environment as this one.

    Args:
        workers: how many.
        logs: folder that gets one file for each process.
        say: hears what a person should know.
        environment: where GPUs are looked for.

    Attributes:
        web: the web process.
        workers: as they are called in what is said: "worker 1" is the first.

    Raises:
        SettingsError: there are not enough ports for the metrics of all workers.
    """

    def __init__(
        self, settings: Settings, workers: int, logs: Path, say: Callable[[str], None],
        environment: Mapping[str, str] = os.environ,
    ) -> None:  # fmt: skip
        self._url, self._say = settings.own_url(), say
        listen = {"STVG_HOST": settings.host, "STVG_PORT": str(settings.port)}
        self.web = Child("the web process", own_command("serve"), log=logs / "web.log", env=listen)
        gpus = names(environment) if settings.device is None and workers > 1 else []
        places = shared_out(gpus, workers, settings.device)
        ports = _metrics(settings.worker_metrics_port, workers)
        self.workers = [
            Child(
                f"worker {at}", own_command("worker"), log=logs / f"worker-{at}.log", env={**place, **port}
            )
            for at, (place, port) in enumerate(zip(places, ports, strict=True), 1)
        ]  # fmt: skip
        if 0 < len(gpus) < workers:
            say(f"warning: {workers} workers share the GPUs that are there ({len(gpus)}); each loads the model")

    def run(self) -> None:
        """Start all and look after them, until an exception ends it; then all of them have ended.

        Raises:
            ProcessError: the web process ended, or no worker is left.
        """
        kept = Workers(self.workers, self._say)
        try:
            self.web.start()
            kept.start()
            for child in (self.web, *self.workers):
                self._say(f"{child.name}: log in {child.log}")
            self.web.wait_until(self._answers, _PATIENCE_S)
            self._say(f"stvg listens on {self._url}; the workers load the model. Ctrl-C ends all of them.")
            while True:
                kept.look()
                if not self.web.alive:
                    raise ProcessError(f"The web process ended. Its last lines ({self.web.log}):\n{self.web.tail()}")
                time.sleep(_LOOK_S)
        finally:
            self._say("ending all processes ...")
            stop_all([self.web, *self.workers], GRACE_S)

    def _answers(self) -> bool:
        """Any answer: a database that went away meanwhile is the web process's to tell."""
        try:
            httpx.get(f"{self._url}/health", timeout=10, trust_env=False)
        except httpx.HTTPError:
            return False
        return True


def _metrics(first: int | None, workers: int) -> list[dict[str, str]]:
    """A port of its own for each worker, counted up from the one that is set."""
    if first is None:
        return [{} for _ in range(workers)]
    if first + workers - 1 > _LAST_PORT:
        raise SettingsError(
            f"The metrics of {workers} workers need {workers} ports from STVG_WORKER_METRICS_PORT={first} on, "
            f"and {_LAST_PORT} is the last one."
        )
    return [{"STVG_WORKER_METRICS_PORT": str(first + at)} for at in range(workers)]
