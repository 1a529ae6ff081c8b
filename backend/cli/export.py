"""``stvg export``: the corrected labels as a dataset."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import click

from backend.annotations.marks import MARKS
from backend.bootstrap import open_database
from backend.cli.project_option import PROJECT, project_number
from backend.db import schema
from backend.export.datasheet import ORIGINS, left_out
from backend.export.exporting import Outcome, export
from backend.export.formats import FORMATS, Format, with_predictions
from backend.export.open_tasks import NOT_LOOKED_AT
from backend.export.selection import Selection
from backend.export.split import parse_split
from backend.jobs.rereading import reread
from backend.settings import SettingsError, load_settings
from stvg_core.text import shown

DAY = click.DateTime(["%Y-%m-%d"])

_IN_WORDS = {"accepted": "as proposed", "drawn": "drawn by hand", "suggested": "accepted before anybody annotated"}
"""Where labels come from, as it is printed: what a reviewer accepts is another thing than a proposal left as it was."""


@click.command("export")
@click.option("--format", "kind", type=click.Choice(sorted(FORMATS)), required=True, help="The dataset's format.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File to write; a folder for some formats.")
@click.option("--project", type=PROJECT, help="Only this project.")
@click.option("--annotator", "annotators", type=int, multiple=True, help="Only this person's labels; may be repeated.")
@click.option("--since", type=DAY, help="Only labels saved on this day (UTC) or later.")
@click.option("--until", type=DAY, help="Only labels saved on this day (UTC) or earlier.")
@click.option(
    "--accepted-only", is_flag=True, help="Only what a reviewer accepted; undecided: proposals that a person took."
)
@click.option(
    "--suggestions",
    is_flag=True,
    help="Instead of the labels, the suggestions that nobody has looked at yet; marked as such, no ground truth.",
)
@click.option("--min-score", type=click.FloatRange(0, 1), help="Only suggestions with this score or more.")
@click.option("--split", "shares", help="Parts by video, one file or folder each: train=0.8,val=0.1,test=0.1.")
@click.option(
    "--as", "role", type=click.Choice(["annotations", "predictions"]),
    help="What the labels become when Label Studio imports them again (labelstudio only); suggestions are always "
    "predictions.  [default: annotations]",
)  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace the folder of an earlier export. Files are always replaced.")
@click.option("--database-url", help="The database [STVG_DATABASE_URL].")
def command(
    kind: str,
    out: Path,
    project: str | None,
    annotators: tuple[int, ...],
    since: datetime | None,
    until: datetime | None,
    accepted_only: bool,
    suggestions: bool,
    min_score: float | None,
    shares: str | None,
    role: str | None,
    overwrite: bool,
    database_url: str | None,
) -> None:
    """Write one label per task: its newest annotation, unless skipped, deleted, or judged wrong and left as it was.

    Where nobody annotated, a suggestion that a reviewer accepted is the label. A datasheet (counts, model versions,
    annotators, agreement, tasks left out and why) is written beside it.
    """
    if not out.absolute().parent.is_dir():
        raise SettingsError(f"There is no folder {out.parent} to write into.")
    selection = Selection(frozenset(annotators), _day(since), _day(until), accepted_only, suggestions, min_score)
    split = parse_split(shares) if shares else None
    form = _format(kind, role, suggestions)
    settings = load_settings()
    if database_url:
        settings = settings.model_copy(update={"database_url": database_url})
    database = open_database(settings)
    try:
        schema.check_ready(database.engine)
        reread(database)
        with database.read() as session:
            outcome = export(
                session,
                form,
                out,
                project_id=project_number(session, project),
                selection=selection,
                split=split,
                overwrite=overwrite,
            )
    except OSError as error:
        raise SettingsError(f"{out} cannot be written: {error.strerror}.") from None
    finally:
        database.close()
    _report(outcome, out, suggestions)


def _format(kind: str, role: str | None, suggestions: bool) -> Format:
    if role == "annotations" and suggestions:
        raise SettingsError("A suggestion that nobody has looked at is no annotation: leave out --as annotations.")
    if kind == "labelstudio" and suggestions:
        return with_predictions(FORMATS[kind])
    if role in (None, "annotations"):
        return FORMATS[kind]
    if kind != "labelstudio":
        raise SettingsError("--as predictions is for --format labelstudio: other formats know no predictions.")
    return with_predictions(FORMATS[kind])


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _labels(count: int) -> str:
    return "1 label" if count == 1 else f"{count} labels"


def _report(outcome: Outcome, out: Path, suggestions: bool) -> None:
    """What was written goes to stdout, what was not, and what to be careful with, to stderr."""
    counts, place = outcome.counts, click.format_filename(out)  # a name need not be UTF-8, what is printed must
    if suggestions:
        click.echo(f"{counts['exported']} suggestions that nobody has looked at written to {place}")
    else:
        origins = ", ".join(f"{counts[origin]} {_IN_WORDS.get(origin, origin)}" for origin in ORIGINS)
        click.echo(f"{_labels(counts['exported'])} written to {place} ({origins})")
    for part, path in outcome.paths.items():
        if part:
            videos = outcome.tally.videos[part]
            on = f"{videos} video" if videos == 1 else f"{videos} videos"
            click.echo(f"{part}: {_labels(outcome.tally.labels[part])} on {on} in {click.format_filename(path.name)}")
    click.echo(f"datasheet: {click.format_filename(outcome.datasheet.name)}")
    for kind, meaning in MARKS.items():
        if counts[kind]:
            click.echo(f"look at {counts[kind]} labels: {meaning}", err=True)
    for reason, number in left_out(counts):
        click.echo(f"{number} tasks left out: {reason}", err=True)
    if counts[NOT_LOOKED_AT]:
        click.echo("to get those that nobody has looked at, marked as such: stvg export --suggestions", err=True)
    for name in outcome.renamed:
        click.echo(f"another video has the same file name: written as {shown(name)}", err=True)
