"""``stvg up``: the database's migration, the web process and the workers of one machine, in one command."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

import click

from backend.bootstrap import NOT_PUSHED, open_database, open_label_studio, ready_database
from backend.cli import serve
from backend.cli.db import upgraded
from backend.processes import alone, exit_on_signals
from backend.settings import Settings, load_settings
from backend.up.service import Service
from stvg_core.notice import notice
from stvg_core.text import printable

logger = logging.getLogger(__name__)


@click.command()
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Workers; one for each GPU.")
@click.option("--host", help="Address to listen on (STVG_HOST).")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on (STVG_PORT).")
@click.option(
    "--logs", type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the log files, one for each process. [default: logs in STVG_DATA_DIR]",
)  # fmt: skip
def command(workers: int, host: str | None, port: int | None, logs: Path | None) -> None:
    """Run the whole service on this machine: migrate the database, then `stvg serve` and `stvg worker`.

    A worker that ends is started again, up to five times in a row. Ctrl-C or SIGTERM ends everything. Make a backup
    before you start a new version: the database is migrated without a question.
    """
    settings = serve.listening_on(load_settings(), host, port)
    model_version = serve.checked(settings)
    serve.check_port(settings.host, settings.port)
    say = _Teller(settings)
    folder = logs if logs is not None else settings.data_dir / "logs"
    try:
        with alone(folder / "up.lock", f"Another stvg up writes its logs into {folder}: end it, or choose --logs."):
            exit_on_signals()
            service = Service(settings, workers, folder, say)
            database = open_database(settings)
            try:
                for sentence in upgraded(database):
                    say(sentence)
            finally:
                database.close()
            with ready_database(settings):
                pass
            if open_label_studio(settings) is None:
                say(f"warning: {NOT_PUSHED}")
            if said := notice(model_version):
                say(f"warning: {said}")
            service.run()
    except (KeyboardInterrupt, SystemExit):  # a signal: how this ends when all is well
        say("stopped: all processes have ended")


class _Teller:
    """To a person at a terminal, whatever the log's level; as a line of the log where programs read it."""

    def __init__(self, settings: Settings) -> None:
        self._json = settings.log_format == "json"

    def __call__(self, sentence: str) -> None:
        with suppress(OSError):  # a terminal that is gone stops nothing
            if self._json:
                logger.log(logging.INFO, "%s", sentence)
            else:
                click.echo(printable(sentence), err=True)
