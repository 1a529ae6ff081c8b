"""``stvg serve``: the web process, under gunicorn with a few threads so that a waiting question blocks nothing."""

from __future__ import annotations

import errno
import logging
import os
import socket
from contextlib import suppress
from typing import Any

import click
from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from backend import bootstrap
from backend.addresses import at_host, bracketed
from backend.http.app import create_app
from backend.logs import configure_logging
from backend.settings import Settings, SettingsError, load_settings
from stvg_core.notice import notice

logger = logging.getLogger(__name__)


class Server(BaseApplication):  # type: ignore[misc]
    """Gunicorn over one app; settings come from us, not from its own command line."""

    def __init__(self, settings: Settings, model_version: str) -> None:
        self._settings, self._model_version = settings, model_version
        super().__init__()

    def load_config(self) -> None:
        settings = self._settings
        options: dict[str, Any] = {
            "bind": f"{bracketed(settings.host)}:{settings.port}",
            "worker_class": "gthread",
            "workers": 1,  # one process: its metrics are the service's, and SQLite has one writer anyway
            "threads": settings.web_threads,
            "timeout": 120,
            "graceful_timeout": 10,
            "proc_name": "stvg",
            "control_socket_disable": True,  # it would lie in the home directory, which a container may not have
            "loglevel": settings.log_level.lower(),
            "post_worker_init": self._say,
        }
        for name, value in options.items():
            if name in self.cfg.settings:  # older releases of gunicorn have no control socket
                self.cfg.set(name, value)

    def _say(self, worker: object) -> None:
        """Called when the app is made and the port is bound: from now on requests are answered."""
        url = at_host("http", self._settings.host, self._settings.port)
        self._tell(logging.INFO, f"stvg listens on {url} for model {self._model_version}")
        if said := notice(self._model_version):
            self._tell(logging.WARNING, f"warning: {said}")

    def _tell(self, level: int, sentence: str) -> None:
        """To a person at a terminal, whatever the log's level; as a line of the log where programs read it."""
        if self._settings.log_format == "json":
            logger.log(level, sentence)
        else:
            with suppress(OSError):  # where the log cannot be written, requests are answered all the same
                click.echo(sentence, err=True)

    def load(self) -> Flask:
        configure_logging(self._settings.log_level, self._settings.secrets(), self._settings.log_format)
        return create_app(self._settings, model_version=self._model_version)


@click.command()
@click.option("--host", help="Address to listen on (STVG_HOST).")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on (STVG_PORT).")
def command(host: str | None, port: int | None) -> None:
    """Answer Label Studio until stopped. The database must be at this version's migration: stvg db upgrade."""
    settings = listening_on(load_settings(), host, port)
    model_version = checked(settings)
    with bootstrap.ready_database(settings):
        pass  # closed again: gunicorn forks, and a connection belongs to one process
    check_port(settings.host, settings.port)
    Server(settings, model_version).run()


def listening_on(settings: Settings, host: str | None, port: int | None) -> Settings:
    """The settings with what the command line says of the address."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    if host is not None:
        given["host"] = host.strip().removeprefix("[").removesuffix("]")
    return settings.model_copy(update=given)


def checked(settings: Settings) -> str:
    """The model's version; what is logged from now on holds no secret.

    Raises:
        SettingsError: nobody could log in, or settings that cannot be used together.
        ModelError: there is no such model.
    """
    configure_logging(settings.log_level, settings.secrets(), settings.log_format)
    bootstrap.require_credentials(settings)
    return bootstrap.present_model_version(settings)


def check_port(host: str, port: int) -> None:
    """Raises SettingsError with what to do where this machine cannot listen there."""
    where = f"{bracketed(host)}:{port}"
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, port), family=family).close()
    except (OSError, UnicodeError, OverflowError) as error:
        raise SettingsError(f"stvg cannot listen on {where}: {_why(error, host, port)}") from None


def _why(error: Exception, host: str, port: int) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return f"another program uses port {port}. Stop it, or choose another port (--port, STVG_PORT)."
    if number in (errno.EACCES, errno.EPERM):
        return f"port {port} needs more rights. Choose one above 1023 (--port, STVG_PORT)."
    unknown = isinstance(error, UnicodeError) or (number is not None and number < 0)  # as the resolver numbers them
    if unknown or number == errno.EADDRNOTAVAIL:
        return (
            f"this machine has no address {host}. Use 127.0.0.1 or ::1 for this machine alone, 0.0.0.0 or :: for all "
            "of its addresses (--host, STVG_HOST)."
        )
    return f"{os.strerror(number) if number else 'the address cannot be used'} (--host, STVG_HOST, --port, STVG_PORT)."
