"""``stvg export``: the corrected labels as a dataset."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from backend.bootstrap import open_database
from backend.db import schema
from backend.export import hcstvg2
from backend.export.records import records
from backend.settings import SettingsError, load_settings

FORMATS = {"hcstvg2": hcstvg2.write}
ORIGINS = ("accepted", "corrected", "drawn")


@click.command("export")
@click.option("--format", "kind", type=click.Choice(sorted(FORMATS)), required=True, help="The dataset's format.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write.")
@click.option("--project", "project_id", type=int, help="Only this Label Studio project (its number).")
@click.option("--database-url", help="The database [STVG_DATABASE_URL].")
def command(kind: str, out: Path, project_id: int | None, database_url: str | None) -> None:
    """Write one label per task: its newest annotation, unless skipped, deleted, or judged wrong and left as it was."""
    if not out.absolute().parent.is_dir():
        raise SettingsError(f"There is no folder {out.parent} to write into.")
    settings = load_settings()
    if database_url:
        settings = settings.model_copy(update={"database_url": database_url})
    database = open_database(settings)
    try:
        schema.check_ready(database.engine)
        counts: Counter[str] = Counter()
        with database.read() as session:
            names = FORMATS[kind](records(session, counts, project_id=project_id), out)
    except OSError as error:
        raise SettingsError(f"{out} cannot be written: {error.strerror}.") from None
    finally:
        database.close()
    origins = ", ".join(f"{counts[origin]} {origin}" for origin in ORIGINS)
    click.echo(f"{counts['exported']} labels written to {out} ({origins})")
    if counts["span differs"]:
        click.echo(f"{counts['span differs']} labels have another range on the timeline than their box: the box counts")
    for reason, number in sorted(counts.items()):
        if reason not in ("exported", "span differs", *ORIGINS):
            click.echo(f"{number} tasks left out: {reason}")
    for name in names.renamed:
        click.echo(f"another video has the same file name: written as {name}")
