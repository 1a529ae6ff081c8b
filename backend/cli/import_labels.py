"""``stvg import``: labels of other tools and datasets into a Label Studio project; safe to run again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from tqdm import tqdm

from backend.cli.playing import unplayable
from backend.importing.formats import FORMATS, read_labels
from backend.importing.placing import Placed, Placing, VideoFolder, place_labels
from backend.importing.pushing import ANNOTATION, PREDICTION, push
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.connect import ensure_project, ensure_storage
from backend.labelstudio.tasks import local_file_address
from backend.settings import SettingsError, load_settings
from labeling_config import video_tube
from stvg_core.datasets.base import DatasetError
from stvg_core.video import probe

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_SHOWN = 10


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "kind", type=click.Choice(FORMATS), required=True, help="What the files are.")
@click.option("--project", required=True, metavar="TITLE_OR_ID", help="Found by number or title, or created.")
@click.option("--videos", type=_FOLDER, required=True, help="Folder of videos, below Label Studio's document root.")
@click.option("--document-root", type=_FOLDER, help="That root [STVG_DOCUMENT_ROOT, else the folder above --videos].")
@click.option("--vidor", type=_FOLDER, help="VidOR's annotations, for VidSTG.")
@click.option("--video", help="The video's name, where one MOT or CVAT file does not have the right one.")
@click.option("--as", "target", type=click.Choice([PREDICTION, ANNOTATION]), default=PREDICTION, show_default=True)
@click.option("--model-version", help="What the predictions are called [imported-<format>].")
@click.option("--url", help="Label Studio's address [STVG_LABEL_STUDIO_URL].")
@click.option("--token", help="A token of it, legacy or personal [STVG_LABEL_STUDIO_TOKEN].")
def command(
    files: tuple[Path, ...], kind: str, project: str, videos: Path, document_root: Path | None, vidor: Path | None,
    video: str | None, target: str, model_version: str | None, url: str | None, token: str | None,
) -> None:  # fmt: skip
    """Put the labels of FILES into a project, as predictions to correct or as ground-truth annotations.

    Tasks that do not exist yet are made, with their videos' true frame rates. Labels that are there already are left
    alone. A label without a sentence gets its object's class for one: write a better one in Label Studio.
    """
    settings = load_settings()
    url = url or settings.label_studio_url
    secret = token or (settings.label_studio_token.get_secret_value() if settings.label_studio_token else None)
    if url is None or secret is None:
        raise SettingsError(
            "Where is Label Studio? Give --url and --token, or set STVG_LABEL_STUDIO_URL and STVG_LABEL_STUDIO_TOKEN."
        )
    root = document_root or settings.document_root or videos.resolve().parent
    labels, notes = read_labels(kind, files, vidor=vidor, video=video)
    placing = place_labels(labels, VideoFolder(videos), probe, progress=lambda of: tqdm(of, disable=None, leave=False))
    placing.warnings += unplayable({item.path: item.info for item in placing.placed})
    _say_placing(placing, notes)
    # Addresses are made before anything is changed: a video outside the document root is a mistake in the call.
    placed: Sequence[tuple[Placed, str]] = [(item, local_file_address(item.path, root)) for item in placing.placed]
    with LabelStudioClient(url, secret) as client:
        client.whoami()
        found, config, done = ensure_project(client, project, video_tube())
        project_id = int(found["id"])
        done += ensure_storage(client, project_id, str(videos.resolve()))
        pushed = push(
            client, project_id, config, placed, kind=target, model_version=model_version or f"imported-{kind}"
        )
    for sentence in done:
        click.echo(f"- {sentence}")
    click.echo(f"- made {pushed.tasks} tasks")
    click.echo(f"- added {pushed.added} {target}, {pushed.there} were there")
    for warning in [*config.warnings, *pushed.warnings]:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"{url.rstrip('/')}/projects/{project_id}/data")


def _say_placing(placing: Placing, notes: list[str]) -> None:
    """What was left out and why, at most ten lines of each; an error where nothing is left."""
    for sentence in notes:
        click.echo(f"note: {sentence}", err=True)
    if placing.filled:
        click.echo(f"note: {placing.filled} labels have gaps, which are filled linearly", err=True)
    for mark, sentences in (("warning", placing.warnings), ("left out", placing.left_out)):
        for sentence in sentences[:_SHOWN]:
            click.echo(f"{mark}: {sentence}", err=True)
        if len(sentences) > _SHOWN:
            click.echo(f"{mark}: and {len(sentences) - _SHOWN} more", err=True)
    if not placing.placed:
        raise DatasetError("None of the labels can be placed in a video; the lines above say why.")
