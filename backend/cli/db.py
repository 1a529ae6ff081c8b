"""``stvg db``: create, migrate, copy or look at the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from backend.bootstrap import open_database
from backend.cli.groups import Group
from backend.db import schema
from backend.db.backup import back_up
from backend.db.engine import Database
from backend.jobs.rereading import reread
from backend.review import compare, disagreement
from backend.settings import load_settings


@click.group(cls=Group)
def command() -> None:
    """Create, migrate or copy the database that STVG_DATABASE_URL names."""


@command.command()
@click.option("--revision", default="head", show_default=True, help="Which migration to reach.")
def upgrade(revision: str) -> None:
    """Create the tables, or bring them to this version."""
    for sentence in upgraded(open_database(load_settings()), revision):
        click.echo(sentence)


def upgraded(database: Database, revision: str = "head") -> Iterator[str]:
    """Bring the tables to a migration, and what is stored to this version's rules; what is to be said of it."""
    schema.upgrade(database.engine, revision)
    present = schema.current_revision(database.engine)
    yield f"The database is at migration {present}."
    changed = 0
    if present == schema.head_revision():
        changed = reread(database)
        disagreement.record_due(database)
        compare.record_missing(database)
    if changed:
        yield (
            f"{changed} annotations were saved with another end on the timeline than before: they are new versions, "
            "which wait for review."
        )


@command.command()
@click.argument("revision")
@click.confirmation_option(prompt="Rows of tables that go are lost. Go back?")
def downgrade(revision: str) -> None:
    """Go back to an older migration ("base" removes everything)."""
    database = open_database(load_settings())
    schema.downgrade(database.engine, revision)
    click.echo(f"The database is at migration {schema.current_revision(database.engine) or 'none'}.")


@command.command()
def status() -> None:
    """Say whether the database is ready for this version; exit status 1 if not."""
    schema.check_ready(open_database(load_settings()).engine)
    click.echo(f"The database is ready (migration {schema.head_revision()}).")


@command.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def backup(file: Path) -> None:
    """Copy an SQLite database into a new file while the service runs (PostgreSQL: pg_dump)."""
    size = back_up(open_database(load_settings()).engine, file)
    click.echo(f"{file} is a whole copy ({size / 1e6:.1f} MB, migration {schema.head_revision()}).")
