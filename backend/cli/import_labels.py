"""``stvg import``: labels of other tools and datasets into a Label Studio project; safe to run again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from tqdm import tqdm

from backend.cli.playing import unplayable
from backend.importing.finding import VideoFolder
from backend.importing.formats import FORMATS, files_of, read_labels
from backend.importing.placing import Placed, Placing, place_labels
from backend.importing.pushing import ANNOTATION, PREDICTION, push
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.connect import ensure_project, ensure_storage
from backend.labelstudio.tasks import local_file_address
from backend.settings import SettingsError, load_settings
from labeling_config import video_tube
from stvg_core.datasets.base import DatasetError, VideoLabel
from stvg_core.datasets.review_marks import count_unreviewed
from stvg_core.text import shown
from stvg_core.video import probe

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_SHOWN = 10


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--format", "kind", type=click.Choice(FORMATS), required=True, help="What the files are.")
@click.option("--project", required=True, metavar="TITLE_OR_ID", help="Found by number or title, or created.")
@click.option("--videos", type=_FOLDER, required=True, help="Folder of videos, below Label Studio's document root.")
@click.option("--document-root", type=_FOLDER, help="That root [STVG_DOCUMENT_ROOT, else the folder above --videos].")
@click.option("--vidor", type=_FOLDER, help="VidOR's annotations, for VidSTG.")
@click.option("--video", help="The video's name, where one MOT or CVAT file does not have the right one.")
@click.option("--encoding", help="Of the files, where they are not UTF-8: latin-1 or cp1252.")
@click.option("--as", "target", type=click.Choice([PREDICTION, ANNOTATION]), default=PREDICTION, show_default=True)
@click.option("--model-version", help="What the predictions are called [imported-<format>].")
@click.option("--url", help="Label Studio's address [STVG_LABEL_STUDIO_URL].")
@click.option("--token", help="A token of it, legacy or personal [STVG_LABEL_STUDIO_TOKEN].")
def command(
    files: tuple[Path, ...], kind: str, project: str, videos: Path, document_root: Path | None, vidor: Path | None,
    video: str | None, encoding: str | None, target: str, model_version: str | None, url: str | None, token: str | None,
) -> None:  # fmt: skip
    """Put the labels of FILES into a project, as predictions to correct or as ground-truth annotations.

    Tasks that do not exist yet are made, with their videos' true frame rates. Labels that are there already are left
    alone. A label without a sentence gets its object's class for one: write a better one in Label Studio.

    What `stvg export` wrote is read in every format; of vidstg, mot and cvat its folder may be named. A record that
    cannot be used is left out and named, and the others are imported.
    """
    settings = load_settings()
    url = url or settings.label_studio_url
    secret = token or (settings.label_studio_token.get_secret_value() if settings.label_studio_token else None)
    if url is None or secret is None:
        raise SettingsError(
            "Where is Label Studio? Give --url and --token, or set STVG_LABEL_STUDIO_URL and STVG_LABEL_STUDIO_TOKEN."
        )
    root = document_root or settings.document_root or videos.resolve().parent
    bad: list[str] = []
    labels, notes = read_labels(kind, files, vidor=vidor, video=video, encoding=encoding, bad=bad)
    notes += _check_reviewed(files_of(kind, files), labels, target, encoding)
    folder = VideoFolder(videos, root)
    placing = place_labels(labels, folder, probe, progress=lambda of: tqdm(of, disable=None, leave=False))
    placing.left_out[:0] = bad
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


def _check_reviewed(
    files: Sequence[Path], labels: Sequence[VideoLabel], target: str, encoding: str | None
) -> list[str]:
    """Notes about suggestions that nobody has looked at; a DatasetError where they would become annotations."""
    marked = [str(path) for path in files if count_unreviewed(path, encoding=encoding)]
    marked += [label.record for label in labels if label.predicted][:1]
    if marked and target == ANNOTATION:
        raise DatasetError(
            f"{marked[0]} holds suggestions that nobody has reviewed. They are no ground truth: import them as "
            f"predictions (--as {PREDICTION}), which annotators then correct."
        )
    more = f", as do {len(marked) - 1} more" if len(marked) > 1 else ""
    return [f"{marked[0]} holds suggestions that nobody has reviewed{more}"] if marked else []


def _say_placing(placing: Placing, notes: list[str]) -> None:
    """What was left out and why, each by name; at most ten warnings; an error where nothing is left."""
    for sentence in notes:
        _say("note", sentence)
    if placing.filled:
        _say("note", f"{placing.filled} labels have gaps, which are filled linearly")
    if placing.unnamed:
        _say("note", f"{placing.unnamed} labels have no sentence: their class stands in its place")
    for sentence in placing.warnings[:_SHOWN]:
        _say("warning", sentence)
    if len(placing.warnings) > _SHOWN:
        _say("warning", f"and {len(placing.warnings) - _SHOWN} more")
    for sentence in placing.left_out:
        _say("left out", sentence)
    if placing.left_out:
        _say("note", f"{len(placing.left_out)} records are left out, for the reasons above")
    if not placing.placed:
        if not placing.left_out and not notes:
            raise DatasetError("The files hold no label.")
        if len(placing.left_out) == 1:
            raise DatasetError(f"None of the labels can be placed in a video: {shown(placing.left_out[0])}")
        raise DatasetError("None of the labels can be placed in a video; the lines above say why.")


def _say(mark: str, sentence: str) -> None:
    click.echo(f"{mark}: {shown(sentence)}", err=True)
