"""``stvg evaluate``: how near are predictions to the truth, under a public protocol?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backend.cli.project_option import PROJECT, project_number
from stvg_core.datasets import hcstvg, vidstg
from stvg_core.datasets.base import load_text
from stvg_core.datasets.review_marks import count_unreviewed
from stvg_core.errors import StvgError
from stvg_core.evaluation.compare import compare
from stvg_core.evaluation.prediction_files import read_predictions
from stvg_core.evaluation.protocols import Protocol
from stvg_core.evaluation.report import as_json, table
from stvg_core.evaluation.samples import Prediction, Truth
from stvg_core.notice import notice_of_some

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

DATABASE = "database"
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("evaluate")
@click.option(
    "--predictions", default=DATABASE, show_default=True, metavar="FILE|database",
    help="Predicted tubes; 'database': the newest.",
)  # fmt: skip
@click.option(
    "--truth", default=DATABASE, show_default=True, metavar="FILE|database",
    help="HC-STVG or VidSTG; 'database': corrected labels, else the truth of a task's own source (stvg prelabel).",
)  # fmt: skip
@click.option(
    "--vidor", type=click.Path(exists=True, file_okay=False, path_type=Path), help="VidOR's annotations, for VidSTG."
)
@click.option(
    "--protocol", type=click.Choice([p.value for p in Protocol]), help="Default: tubedetr for VidSTG, else hcstvg."
)
@click.option("--encoding", help="Of the files, where they are not UTF-8: latin-1 or cp1252.")
@click.option("--project", type=PROJECT, help="Of the database, only this project.")
@click.option(
    "--accepted-only",
    is_flag=True,
    help="Of the database's labels, only what `stvg export --accepted-only` writes of them.",
)
@click.option("--model-version", help="Of the database, only predictions of this model version.")
@click.option("--database-url", help="The database [STVG_DATABASE_URL].")
@click.option(
    "--scale-boxes", is_flag=True,
    help="Scale boxes that were predicted on a larger or smaller copy to the truth's picture.",
)  # fmt: skip
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all numbers here.")
@click.option("--plots", type=click.Path(file_okay=False, path_type=Path), help="Write pictures into this folder.")
def command(
    predictions: str, truth: str, vidor: Path | None, protocol: str | None, json_file: Path | None,
    plots: Path | None, project: str | None, accepted_only: bool, model_version: str | None,
    database_url: str | None, encoding: str | None, scale_boxes: bool,
) -> None:  # fmt: skip
    """Compare predicted tubes with the truth and print m_tIoU, m_vIoU, m_gt_vIoU, vIoU@0.3 and vIoU@0.5.

    A sentence without a prediction counts 0. The protocols differ by several points: name yours next to a number.
    Predictions that say the size of their picture are compared with truths of the same size only (see --scale-boxes).
    """
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise StvgError(f"There is no folder {json_file.parent} to write {json_file.name} to. Make it first.")
    stored = _Stored(database_url, project, accepted_only, model_version)
    truths, predicted, first_of_several = _read(predictions, truth, vidor, stored, encoding)
    chosen = Protocol(protocol) if protocol else _usual(truths)
    comparison = compare(chosen, truths, predicted, scale_boxes=scale_boxes)
    unreviewed = 0 if truth == DATABASE else count_unreviewed(Path(truth), encoding=encoding)
    if unreviewed:
        click.echo(
            f"warning: {unreviewed} labels of {truth} are suggestions that nobody has reviewed. They are no truth: the "
            "numbers say how far two sets of predictions agree, not how right one is.",
            err=True,
        )
    click.echo(table(comparison))
    warnings = []
    if first_of_several:
        warnings.append(
            f"{first_of_several} of {len(truths)} truths are the first of several: their source has further true tubes "
            "for the same video and sentence (VidSTG: in the same part of the video). Those are not compared here, and "
            "a prediction that finds one of them counts as wrong. To compare with each: --truth FILE"
        )
    if comparison.scaled:
        warnings.append(f"The boxes of {comparison.scaled} predictions were scaled to the size of the truth's picture.")
    if comparison.outside:
        warnings.append(
            f"{comparison.outside} predictions have boxes far outside of the truth's picture and do not say of which "
            'size theirs is. If it was a larger copy, every box is wrong: give each its "width" and "height".'
        )
    if said := notice_of_some(Counter(one.model_version for one in predicted), "predictions are"):
        warnings.append(said)
    for said in warnings:
        click.echo(f"\n{said}")
    if json_file is not None:
        further = {"truth_not_reviewed": unreviewed, "truth_first_of_several": first_of_several}
        content = as_json(comparison) | {"warnings": warnings, **further}
        try:
            json_file.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise StvgError(f"{json_file} cannot be written: {error.strerror}.") from None
        click.echo(f"written: {json_file}")
    if plots is not None:
        from stvg_core.evaluation.plots import write_plots  # matplotlib is slow to import

        for path in write_plots(comparison, plots):
            click.echo(f"written: {path}")


@dataclass(frozen=True)
class _Stored:
    """What is wanted of the database."""

    url: str | None
    project: str | None
    accepted_only: bool
    model_version: str | None


def _read(
    predictions: str, truth: str, vidor: Path | None, stored: _Stored, encoding: str | None
) -> tuple[list[Truth], list[Prediction], int]:
    """Both sides, and how many truths are the first of several; what the database has is read in one look at it."""
    truths = [] if truth == DATABASE else read_truths(Path(truth), vidor, encoding)
    predicted = [] if predictions == DATABASE else read_predictions(predictions, encoding=encoding)
    if DATABASE not in (truth, predictions):
        return truths, predicted, 0
    first_of_several = 0
    from backend.evaluation.database_samples import corrected_truths, newest_predictions, source_truths
    from backend.export.names import VideoNames
    from backend.export.records import addresses

    counts: Counter[str] = Counter()
    with _session(stored.url) as session:
        name = VideoNames(addresses(session)).name
        project_id = project_number(session, stored.project)
        if truth == DATABASE:
            truths = corrected_truths(session, name, counts, project_id=project_id, accepted_only=stored.accepted_only)
            if not stored.accepted_only:
                given = source_truths(session, name, project_id=project_id)
                truths += given.truths
                first_of_several = given.first_of_several
                if given.unanswered:
                    click.echo(f"{given.unanswered} sentences with a truth have no answer: each counts 0", err=True)
            if not truths:
                raise StvgError("The database has no such label yet: there is no truth to compare with.")
        if predictions == DATABASE:
            predicted = newest_predictions(session, name, project_id=project_id, model_version=stored.model_version)
    return truths, predicted, first_of_several


def read_truths(path: Path, vidor: Path | None, encoding: str | None = None) -> list[Truth]:
    """An HC-STVG file (an object) or, with VidOR's folder, a VidSTG file (a list).

    A record that cannot be used is left out and named on stderr: the means are over the others.
    """
    bad: list[str] = []
    truths: list[Truth] = []
    if vidor is not None:
        truths = [Truth.of_vidstg(record) for record in vidstg.read(path, vidor, encoding=encoding, bad=bad)]
    else:
        if load_text(path, encoding=encoding)[:4096].lstrip().startswith("["):
            raise StvgError(f"{path} looks like VidSTG, whose boxes are in VidOR: name the folder with them, --vidor.")
        truths = [Truth.of_hcstvg(record) for record in hcstvg.read(path, encoding=encoding, bad=bad)]
    for sentence in bad:
        click.echo(f"left out of the truth: {sentence}", err=True)
    if bad:
        click.echo(f"left out of the truth: {len(bad)} records that cannot be used", err=True)
    if bad and not truths:
        raise StvgError(f"{path} holds nothing that can be used; the lines above say why.")
    return truths


def _usual(truths: list[Truth]) -> Protocol:
    return Protocol.TUBEDETR if truths and truths[0].kind is not None else Protocol.HCSTVG


@contextmanager
def _session(url: str | None) -> Iterator[Session]:
    from backend.bootstrap import open_database
    from backend.db import schema
    from backend.settings import load_settings

    settings = load_settings()
    database = open_database(settings.model_copy(update={"database_url": url}) if url else settings)
    try:
        schema.check_ready(database.engine)
        with database.read() as session:
            yield session
    finally:
        database.close()
