"""``stvg sync``: what Label Studio holds and we do not, and every diff that is missing. Safe to run again."""

from __future__ import annotations

from pathlib import Path

import click
from tqdm import tqdm

from backend.bootstrap import open_database, open_media, open_training, require_label_studio
from backend.cli.project_option import PROJECT, in_label_studio
from backend.db import projects, schema
from backend.db.engine import Database
from backend.jobs.corrections import Training, read_events
from backend.jobs.reconcile import reconcile_project
from backend.jobs.rereading import reread
from backend.jobs.times import Media, record_missing_times
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.transport import LabelStudioError
from backend.review import compare, disagreement, uncertainty
from backend.review.recording import record_missing
from backend.settings import load_settings
from stvg_core.tube import VideoInfo


@click.command("sync")
@click.option("--project", type=PROJECT, help="Only this Label Studio project.")
@click.option("--all", "everything", is_flag=True, help="Compare every task, not only those that changed since.")
def command(project: str | None, everything: bool) -> None:
    """Read waiting webhooks, fetch annotations that no webhook told of, and compare each version with its suggestion.

    Annotations that were read by an older rule are read again. Suggestions from before their uncertainty was stored
    get it too, variable-rate videos the times of their frames, tasks of several annotators how far these disagree, and
    tasks that several model versions answered how far these agree.

    Webhooks are sent once and can be lost; Label Studio's own list cannot. Only tasks that changed there since the last
    comparison are read; --all reads every task, which also finds the annotations of tasks that were deleted there.
    Running it again changes nothing.
    """
    settings = load_settings()
    client = require_label_studio(settings)
    database = open_database(settings)
    try:
        schema.check_ready(database.engine)
        with database.read() as session:
            project_id = None if project is None else in_label_studio(session, project)
        with client:
            synchronise(
                database, client, project_id=project_id, train=open_training(settings),
                media=open_media(settings, client), everything=everything,
            )  # fmt: skip
    finally:
        database.close()


def synchronise(
    database: Database, client: LabelStudioClient, *, project_id: int | None = None, train: Training | None = None,
    media: Media | None = None, everything: bool = True,
) -> None:  # fmt: skip
    """Do it and say what was done.

    Raises:
        LabelStudioError: Label Studio is away, or the one project that was asked for is gone there.
    """
    with database.read() as session:
        wanted = projects.in_label_studio(session) if project_id is None else [project_id]
    click.echo(f"- webhooks that waited: {read_events(database, train)} read")
    for number in tqdm(wanted, desc="projects", unit="project", disable=None, leave=False):
        try:
            found = reconcile_project(database, client, number, everything=everything)
        except LabelStudioError as error:
            if error.temporary or project_id is not None:
                raise
            click.echo(f"- project {number}: not compared: {error}")
            continue
        click.echo(f"- project {number}: {found.saved} versions fetched, {found.deleted} deletions noted")
    click.echo(f"- annotations by an older rule: {reread(database)} read again with another tube")
    click.echo(f"- diffs: {record_missing(database, project_id=project_id)} computed")
    click.echo(f"- uncertainties: {uncertainty.record_missing(database)} computed")
    click.echo(f"- disagreements: {disagreement.record_due(database)} computed")
    click.echo(f"- agreements of model versions: {compare.record_missing(database)} computed")
    if media is not None:
        stored, left = record_missing_times(database, media, _probe)
        if stored or left:
            click.echo(f"- times of variable-rate videos: {stored} stored")
        for sentence in left:
            click.echo(f"warning: {sentence}", err=True)


def _probe(path: Path) -> VideoInfo:
    from stvg_core.video import probe  # the decoders are slow to load, and rarely needed here

    return probe(path)
