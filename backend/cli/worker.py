"""``stvg worker``: the process that grounds queued jobs and pushes the answers."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

import click
from prometheus_client import start_http_server

from backend.addresses import bracketed
from backend.bootstrap import open_worker, ready_database
from backend.cli.project_option import PROJECT
from backend.db import projects
from backend.jobs.measuring import Measures
from backend.jobs.stopping import stopping
from backend.logs import configure_logging
from backend.settings import Settings, SettingsError, load_settings
from stvg_core.notice import notice

logger = logging.getLogger(__name__)


@click.command()
@click.option("--drain", is_flag=True, help="Do what is due now, then end; with --project, all of its jobs.")
@click.option("--project", "project", type=PROJECT, help="Only jobs of this project.")
@click.option("--owned", is_flag=True, hidden=True, help="Stop when standard input ends: whoever started it is gone.")
def command(drain: bool, project: str | None, owned: bool) -> None:
    """Ground queued jobs until stopped. One per GPU; several on one database share the work."""
    settings = load_settings()
    configure_logging(settings.log_level, settings.secrets(), settings.log_format)
    if owned:
        threading.Thread(target=_end_with_input, name="owner", daemon=True).start()
    measures = Measures()
    if not owned:  # the workers of one run would all want the same port
        show_metrics(settings, measures)
    number = None if project is None else _number(settings, project)
    process = open_worker(settings, measures=measures, project_id=number)
    if said := notice(process.worker.engine.model_version):
        logger.warning(said)
    if drain and project is None:
        click.echo(f"{process.drain()} jobs taken.")
        return
    if drain:
        with stopping(settings.database_url, process.stop, process.worker.holding):
            process.run_project()
        return
    if process.outbox is None:
        logger.warning("STVG_LABEL_STUDIO_URL or STVG_LABEL_STUDIO_TOKEN is not set: nothing is pushed")
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


def _end_with_input() -> None:
    """As if somebody had asked: before the model is loaded at once, later as at every SIGTERM."""
    while sys.stdin.buffer.read(1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
