"""``stvg worker``: the process that grounds queued jobs and pushes the answers."""

from __future__ import annotations

import logging

import click
from prometheus_client import start_http_server

from backend.addresses import bracketed
from backend.bootstrap import open_worker
from backend.jobs.measuring import Measures
from backend.jobs.stopping import stopping
from backend.logs import configure_logging
from backend.settings import Settings, SettingsError, load_settings
from stvg_core.notice import notice

logger = logging.getLogger(__name__)


@click.command()
@click.option("--drain", is_flag=True, help="Do what is due now, then end.")
def command(drain: bool) -> None:
    """Ground queued jobs until stopped. One per GPU; several on one database share the work."""
    settings = load_settings()
    configure_logging(settings.log_level, settings.secrets(), settings.log_format)
    measures = Measures()
    show_metrics(settings, measures)
    process = open_worker(settings, measures=measures)
    if said := notice(process.worker.engine.model_version):
        logger.warning(said)
    if drain:
        click.echo(f"{process.drain()} jobs taken.")
        return
    if process.outbox is None:
        logger.warning("STVG_LABEL_STUDIO_URL or STVG_LABEL_STUDIO_TOKEN is not set: nothing is pushed")
    logger.info("worker ready with model %s", process.worker.engine.model_version)
    with stopping(settings.database_url, process.stop, lambda: process.worker.holding):
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
