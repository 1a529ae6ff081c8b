"""Who grounds a run's sentences: processes of this machine, or actors in a Ray cluster."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from backend.bootstrap import open_media, present_model_version
from backend.db import runs
from backend.db.engine import Database
from backend.logs import redact
from backend.media import MediaError
from backend.runs.actors import Work, WorkerActors, whole_or_part
from backend.runs.child import worker_command
from backend.runs.handing_on import handed_on
from backend.runs.processes import WorkerProcesses
from backend.runs.ray_actor import Order
from backend.runs.watch import Workers
from backend.settings import Settings
from stvg_core.errors import StvgError

if TYPE_CHECKING:
    from backend.runs.ray_cluster import RayCluster

PROCESSES, RAY = "processes", "ray"
MOST_PROCESSES = 64

_SAMPLES = 3
_LOOKED_AT = 200
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Chosen:
    """The engine and what was said of it on the command line."""

    name: str
    workers: int
    address: str | None
    gpus: float | None
    cpus: float | None
    hours: float | None

    def check(self, settings: Settings, *, works: bool) -> None:
        """Raises UsageError or StvgError for what cannot go together. ``works``: workers are started at all."""
        given = [
            option
            for option, value in (
                ("--address", self.address), ("--gpus-per-worker", self.gpus), ("--cpus-per-worker", self.cpus),
                ("--worker-hours", self.hours),
            )
            if value is not None
        ]  # fmt: skip
        if self.name == PROCESSES:
            if given:
                raise click.UsageError(f"{given[0]} is for --engine ray.")
            if self.workers > MOST_PROCESSES:
                raise click.UsageError(f"More than {MOST_PROCESSES} workers are for --engine ray.")
            return
        if not works:
            raise click.UsageError("--enqueue-only starts no workers: --engine ray does not go with it.")
        if self.gpus is not None and not whole_or_part(self.gpus):
            raise click.UsageError("--gpus-per-worker is a part of one GPU (0.5), or a whole number of them.")
        if importlib.util.find_spec("ray") is None:
            raise StvgError("Ray is not installed here. pip install 'stvg[ray]' on every machine of the cluster.")
        if self.place is not None and self.place.startswith("ray://"):
            raise StvgError(
                "ray:// is the address of a Ray client server, which ends its actors late when the run is gone. Start "
                "the run on a machine of the cluster, with --address auto."
            )
        if self.place is not None and make_url(settings.database_url).get_backend_name() == "sqlite":
            raise StvgError(
                "SQLite is a file of one machine; the workers of a cluster need PostgreSQL (STVG_DATABASE_URL). "
                "Without --address, Ray starts on this machine alone, and SQLite will do."
            )

    @property
    def place(self) -> str | None:
        """The address of a cluster that runs already; None: one of this machine is started."""
        return self.address or os.environ.get("RAY_ADDRESS") or None


def engine_options(command: Command) -> Command:
    """The options of a run that say who works."""
    for option in reversed(
        (
            click.option(
                "--engine", type=click.Choice([PROCESSES, RAY]), default=PROCESSES, show_default=True,
                help="Processes of this machine, or actors in a Ray cluster.",
            ),
            click.option(
                "--workers", type=click.IntRange(1, 4096), default=1, show_default=True, help="How many ground."
            ),
            click.option(
                "--address", metavar="HOST:PORT",
                help="The Ray cluster; auto: that of this machine.  [default: RAY_ADDRESS, else a new one here]",
            ),
            click.option(
                "--gpus-per-worker", "gpus", type=click.FloatRange(min=0),
                help="0.5 puts two on a GPU; 0 for CPUs.  [default: 1]",
            ),
            click.option(
                "--cpus-per-worker", "cpus", type=click.FloatRange(min=0),
                help="Cores that Ray keeps for each.  [default: 1]",
            ),
            click.option(
                "--worker-hours", "hours", type=click.FloatRange(min=0),
                help="A new worker takes the place of one so old; 0: never.  [default: 12]",
            ),
        )
    ):  # fmt: skip
        command = option(command)
    return command


class Engine:
    """Makes a run's workers. This one: processes of this machine."""

    def __init__(self, settings: Settings, chosen: Chosen) -> None:
        self.settings, self.chosen = settings, chosen

    def workers(self, database: Database, project_id: int, version: str, logs: Path, tell: Tell) -> Workers:
        """Workers that end when nothing of the project is waiting."""
        env = {}
        number = self.chosen.workers
        if number > 1 and "OMP_NUM_THREADS" not in os.environ:
            env["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // number))
        command = worker_command(*_arguments(project_id, self.settings))
        return WorkerProcesses(command, number, logs, env, load_s=self.settings.load_seconds)


class RayEngine(Engine):
    """Actors in a cluster that this process is connected to."""

    def __init__(self, settings: Settings, chosen: Chosen, cluster: RayCluster) -> None:
        super().__init__(settings, chosen)
        self.cluster = cluster

    def workers(self, database: Database, project_id: int, version: str, logs: Path, tell: Tell) -> Workers:
        number = self.chosen.workers
        samples = _samples(self.settings, database, project_id, version)
        for said in self._warnings(samples):
            tell(said)
        expected = present_model_version(self.settings)
        settings = handed_on(self.settings, os.environ)

        def order() -> Order:
            seen = [part for one in samples if _is_here(self.settings, one, project_id) for part in ("--see", one)]
            arguments = (*_arguments(project_id, self.settings), "--expect", expected, *seen)
            return Order(arguments, settings, str(logs.relative_to(self.settings.data_dir)))

        def work() -> Work | None:
            try:
                with database.read() as session:
                    videos = runs.videos_open(session, project_id, version, most=number)
                    return Work(videos, runs.at_work(session, project_id))
            except SQLAlchemyError:
                return None  # whoever counts the rows says it

        self.cluster.order = order
        hours = 12.0 if self.chosen.hours is None else self.chosen.hours
        return WorkerActors(self.cluster, number, work, lifetime_s=3600 * hours, load_s=self.settings.load_seconds)

    def _warnings(self, samples: Sequence[str]) -> Iterator[str]:
        """What can be known before the first worker starts."""
        machines = self.cluster.machines()
        if len(machines) < 2 and self.chosen.place is None:
            return
        if samples:
            yield (
                "the videos are files of this machine: every machine of the cluster must see them under the same path "
                f"({samples[0]}); one that does not is not used"
            )
        if len(machines) > 1 and (make_url(self.settings.database_url).host or "localhost") in _LOOPBACK:
            yield (
                "STVG_DATABASE_URL names the database by this machine's own loopback; on the other machines "
                f"({len(machines)} in all) it means another place"
            )


Tell = Callable[[str], None]


@contextmanager
def open_engine(settings: Settings, chosen: Chosen) -> Iterator[Engine]:
    """The engine, connected to its cluster where it has one. Raises RunError where there is no such cluster."""
    if chosen.name == PROCESSES:
        yield Engine(settings, chosen)
        return
    from backend.runs.ray_cluster import RayCluster

    secrets = list(settings.secrets())
    with redirect_stdout(sys.stderr):  # Ray prints what it has to say of its machines among our lines
        cluster = RayCluster(
            chosen.place, gpus=1.0 if chosen.gpus is None else chosen.gpus,
            cpus=1.0 if chosen.cpus is None else chosen.cpus, clean=lambda said: redact(said, secrets),
        )  # fmt: skip
        try:
            yield RayEngine(settings, chosen, cluster)
        finally:
            cluster.stop([])


def _arguments(project_id: int, settings: Settings) -> tuple[str, ...]:
    """Of ``stvg worker``. It has the run's environment, and what the run's command line says of the method."""
    return ("--drain", "--owned", "--project", str(project_id), *settings.line())


def _samples(settings: Settings, database: Database, project_id: int, version: str) -> list[str]:
    """Addresses of some videos that wait and are files of this machine, in different folders."""
    with database.read() as session:
        waiting = runs.videos_waiting(session, project_id, version, most=_LOOKED_AT)
    found: dict[Path, str] = {}
    media = open_media(settings, None)
    for address in waiting:
        try:
            path = media.file_of(address, project=project_id)
        except StvgError:
            continue
        if path is not None and len(found) < _SAMPLES:
            found.setdefault(path.parent, address)
    return list(found.values())


def _is_here(settings: Settings, address: str, project_id: int) -> bool:
    """A video that has gone from here too is no sign of a machine that does not see the rest."""
    try:
        return open_media(settings, None).file_of(address, project=project_id) is not None
    except MediaError:
        return False
