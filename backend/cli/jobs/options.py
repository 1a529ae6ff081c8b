"""What do the commands about rows of work have in common? Their options, and how a line is shortened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from backend.cli.project_option import PROJECT, project_number
from backend.db.engine import Database
from backend.db.work_lists import Chosen

Command = TypeVar("Command", bound=Callable[..., Any])


def project(command: Command) -> Command:
    """``--project``, with the type that says what a project may be called."""
    return click.option("--project", type=PROJECT, help="Only of this project.")(command)


def version(command: Command) -> Command:
    """``--version``."""
    return click.option("--version", help="Only for this model version.")(command)


def reason(command: Command) -> Command:
    """``--reason``."""
    return click.option("--reason", help="Only with this text in their reason.")(command)


def limit(command: Command) -> Command:
    """``--limit``, 100 where it is not given."""
    return click.option(
        "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many, newest first."
    )(command)


def as_json(command: Command) -> Command:
    """``--json``, as the argument ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")(command)


def short(text: str, length: int) -> str:
    """On one line, and cut where it is longer."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def require_choice(ids: tuple[int, ...], everything: bool, reason: str | None, project: str | None) -> None:
    """Raises UsageError where a ``retry`` names no rows."""
    if not ids and not everything and reason is None and project is None:
        raise click.UsageError("Name the rows, or say --all.")


def chosen_rows(database: Database, ids: tuple[int, ...], reason: str | None, project: str | None) -> Chosen:
    """The rows that a ``retry`` means. Raises UnknownProject."""
    return Chosen(tuple(sorted(set(ids))), project_id=number(database, project), reason=reason)


def number(database: Database, project: str | None) -> int | None:
    """The project's number. Raises UnknownProject."""
    with database.read() as session:
        return project_number(session, project)


def say_again(done: int, ids: tuple[int, ...], one: str, many: str) -> None:
    """How many are tried again; exit status 1 where some that were named are not."""
    click.echo(f"{done} {one if done == 1 else many} to be tried again.")
    if missed := len(set(ids)) - done if ids else 0:
        click.echo(f"{missed} of those that were named have not failed, or do not exist.", err=True)
        raise SystemExit(1)
