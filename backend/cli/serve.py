"""``stvg serve``: the web process, under gunicorn with a few threads so that a waiting question blocks nothing."""

from __future__ import annotations

from typing import Any

import click
from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from backend import bootstrap
from backend.http.app import create_app
from backend.logs import configure_logging
from backend.settings import Settings, load_settings
from stvg_core.notice import notice


class Server(BaseApplication):  # type: ignore[misc]
    """Gunicorn over one app; settings come from us, not from its own command line."""

    def __init__(self, settings: Settings, model_version: str) -> None:
        self._settings, self._model_version = settings, model_version
        super().__init__()

    def load_config(self) -> None:
        settings = self._settings
        options: dict[str, Any] = {
            "bind": f"{settings.host}:{settings.port}",
            "worker_class": "gthread",
            "workers": 1,  # one process: its metrics are the service's, and SQLite has one writer anyway
            "threads": settings.web_threads,
            "timeout": 120,
            "graceful_timeout": 10,
            "proc_name": "stvg",
            "control_socket_disable": True,  # it would lie in the home directory, which a container may not have
            "loglevel": settings.log_level.lower(),
        }
        for name, value in options.items():
            if name in self.cfg.settings:  # older releases of gunicorn have no control socket
                self.cfg.set(name, value)

    def load(self) -> Flask:
        configure_logging(self._settings.log_level, self._settings.secrets())
        return create_app(self._settings, model_version=self._model_version)


@click.command()
@click.option("--host", help="Address to listen on (STVG_HOST).")
@click.option("--port", type=int, help="Port to listen on (STVG_PORT).")
def command(host: str | None, port: int | None) -> None:
    """Answer Label Studio until stopped. Prepare the database first: stvg db upgrade."""
    settings = load_settings()
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = settings.model_copy(update=given)
    configure_logging(settings.log_level, settings.secrets())
    bootstrap.require_credentials(settings)
    model_version = bootstrap.present_model_version(settings)
    click.echo(f"stvg listens on http://{settings.host}:{settings.port} for model {model_version}", err=True)
    if said := notice(model_version):
        click.echo(f"warning: {said}", err=True)
    Server(settings, model_version).run()
