"""``stvg worker``: the process that grounds queued jobs and pushes the answers."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

import click
from prometheus_client import start_http_server

from backend.addresses import bracketed
from backend.bootstrap import NOT_PUSHED, open_media, open_worker, present_model_version, ready_database
from backend.cli.method_options import method_options
from backend.cli.project_option import PROJECT
from backend.db import projects
from backend.jobs.measuring import Measures
from backend.jobs.stopping import stopping
from backend.logs import configure_logging
from backend.media import MediaError
from backend.runs.child import LEAVE, LOADED
from backend.settings import Settings, SettingsError, load_settings
from stvg_core.notice import notice

logger = logging.getLogger(__name__)


@click.command()
@click.option("--drain", is_flag=True, help="Do what is due now, then end; with --project, all of its jobs.")
@click.option("--project", "project", type=PROJECT, help="Only jobs of this project.")
@method_options
@click.option("--owned", is_flag=True, hidden=True, help="Standard input says when to end; see Owner.")
@click.option("--expect", hidden=True, help="The model's version that the run asks; another one is an error.")
@click.option("--see", "seen", multiple=True, hidden=True, help="Addresses of files that this machine must have.")
def command(
    drain: bool, project: str | None, preset: str | None, assignments: tuple[str, ...], owned: bool,
    expect: str | None, seen: Sequence[str],
) -> None:  # fmt: skip
    """Ground queued jobs until stopped. One per GPU; several on one database share the work.

    Jobs are for a model with its settings: one worker with other settings than `stvg serve` or `stvg prelabel` asked
    for finds none. STVG_PRESET and STVG_SET set them for all commands alike.
    """
    settings = load_settings().with_line(preset, assignments)
    configure_logging(settings.log_level, settings.secrets(), settings.log_format)
    owner = Owner()
    if owned:
        owner.start()
    measures = Measures()
    if not owned:  # the workers of one run would all want the same port
        show_metrics(settings, measures)
    if expect is not None:
        require_version(settings, expect)
    number = None if project is None else _number(settings, project)
    require_files(settings, seen, number)
    process = open_worker(settings, measures=measures, project_id=number)
    if owned:
        owner.say_loaded()
    if said := notice(process.worker.engine.model_version):
        logger.warning(said)
    if drain and project is None:
        with stopping(settings.database_url, process.stop, process.worker.holding):
            taken = process.drain()
        click.echo(f"{taken} jobs taken.")
        return
    if drain:
        with stopping(settings.database_url, process.stop, process.worker.holding):
            owner.leave = process.worker.enough.set
            process.run_project()
        return
    if process.outbox is None:
        logger.warning(NOT_PUSHED)
    logger.info("worker ready with model %s", process.worker.engine.model_version)
    with stopping(settings.database_url, process.stop, process.worker.holding):
        process.run()
    logger.info("worker stopped")


def show_metrics(settings: Settings, measures: Measures) -> None:
    """Serve the worker's figures where a port is set. Raises SettingsError where this machine cannot listen there."""
    host, port = settings.worker_metrics_host, settings.worker_metrics_port
    if port is None:
        return
    try:
        start_http_server(port, host, measures.registry)
    except (OSError, OverflowError) as error:
        raise SettingsError(
            f"The worker cannot show its metrics on {bracketed(host)}:{port}: {error}. Choose another port for each "
            "worker of this machine (STVG_WORKER_METRICS_HOST, STVG_WORKER_METRICS_PORT)."
        ) from None
    logger.info("metrics on %s:%d", bracketed(host), port)


def _number(settings: Settings, project: str) -> int:
    with ready_database(settings) as database, database.read() as session:
        return projects.number_of(session, project)


def require_version(settings: Settings, expected: str) -> None:
    """Raises SettingsError where the model here is another one: none of the run's jobs would be for it."""
    here = present_model_version(settings)
    if here != expected:
        raise SettingsError(
            f"The run asks the model {expected}, but on {socket.gethostname()} it is {here}. All machines need the "
            "same model, the same version of stvg and the same settings of the method."
        )


def require_files(settings: Settings, addresses: Sequence[str], project_id: int | None) -> None:
    """Raises SettingsError where a video that is a file is not on this machine: all the run's jobs would fail here."""
    media = open_media(settings, None)
    for address in addresses:
        try:
            media.file_of(address, project=project_id)
        except MediaError as error:
            raise SettingsError(
                f"{socket.gethostname()} does not see the videos of the run: {error} Mount their folder there under "
                "the same path, or put the videos into a storage."
            ) from None


class Owner(threading.Thread):
    """Listens to whoever started the worker: a line on standard input asks it to leave, the end of it to stop.

    Attributes:
        leave: called at a line; before the worker has begun there is no job to wait for, and it stops.
    """

    def __init__(self) -> None:
        super().__init__(name="owner", daemon=True)
        self.leave: Callable[[], object] = _stop

    def run(self) -> None:
        while said := os.read(sys.stdin.fileno(), 1024):
            if LEAVE.strip() in said:
                self.leave()
        _stop()

    def say_loaded(self) -> None:
        """The model is loaded: who started the worker waits for that, but not for ever."""
        with suppress(OSError):  # it is gone; run() meets that too
            os.write(sys.stdin.fileno(), LOADED)


def _stop() -> None:
    """As if somebody had asked: before the model is loaded at once, later as at every SIGTERM."""
    os.kill(os.getpid(), signal.SIGTERM)
