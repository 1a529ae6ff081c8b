"""``stvg calibrate``: would other settings have agreed better with the corrections? Then use them from now on."""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from tqdm import tqdm

from backend.bootstrap import open_database, open_versions
from backend.cli import calibrate_heads
from backend.cli.project_option import PROJECT, project_number
from backend.db import calibrations, projects, schema
from backend.db.engine import Database
from backend.db.tables import Calibration
from backend.jobs import calibrating
from backend.jobs.versions import Versions
from backend.settings import Settings, SettingsError, load_settings
from stvg_core.errors import StvgError

WHO = "command line"
_ROW = "{name:<24} {before:>8} {after:>8}"
_FIGURES = {"m_viou": "m_vIoU", "m_tiou": "m_tIoU", "right_track": "right object"}


class CalibrationError(StvgError):
    """It could not be carried out; the message says why."""


@click.command("calibrate")
@click.option("--project", type=PROJECT, help="Choose by the corrections of this project only.")
@click.option("--dry-run", is_flag=True, help="Say what would be adopted, and change nothing.")
@click.option(
    "--heads",
    is_flag=True,
    help="Choose the attention heads of the temporal branch instead: every corrected video is looked at again. Says "
    "what to set, and changes nothing.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--revert", is_flag=True, help="Go back to the settings before the last adoption.")
def command(project: str | None, dry_run: bool, heads: bool, as_json: bool, revert: bool) -> None:
    """Join the stored scores of corrected items under other settings, and adopt those that hold on held-out items.

    The model is never touched and no GPU is needed. What is adopted holds for new questions of every project, under a
    model version of its own. docs/calibration.md has the rules.

    With --heads the model and the videos are needed, and nothing is adopted, with --dry-run or without.
    """
    if revert and (dry_run or heads or project is not None):
        raise click.UsageError("--revert goes with neither --dry-run nor --heads nor --project.")
    settings = load_settings()
    database = open_database(settings)
    try:
        schema.check_ready(database.engine)
        versions = open_versions(settings)
        if revert:
            _revert(database, versions, as_json)
            return
        project_id = _known(database, project)
        with _bar("videos" if heads else "settings") as progress:
            if heads:
                report = calibrate_heads.look(settings, database, versions, project_id, progress)
            elif dry_run:
                report = _looked(database, versions, project_id, progress)
            else:
                report = _run(database, versions, project_id, progress, settings)
    finally:
        database.close()
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False))
    else:
        for line in calibrate_heads.lines(report) if heads else _lines(report):
            click.echo(line)


def _looked(
    database: Database, versions: Versions, project_id: int | None, progress: calibrating.Progress
) -> dict[str, Any]:
    found = calibrating.look(database, versions, project_id=project_id, progress=progress)
    state = "would be adopted" if found.calibrated.adopted else "would be refused"
    version = versions.name(found.calibrated.settings) if found.calibrated.adopted else None
    return {"state": state, "base": versions.name(found.present), "model_version": version, **found.to_json()}


def _run(
    database: Database, versions: Versions, project_id: int | None, progress: calibrating.Progress, settings: Settings
) -> dict[str, Any]:
    with database.write() as session:
        number = calibrating.request(session, versions, project_id=project_id, requested_by=WHO).id
    name = f"{socket.gethostname()}:{os.getpid()}"[:100]
    calibrating.run_due(database, versions, name=name, lease_s=settings.lease_seconds, number=number, progress=progress)
    with database.read() as session:
        row = session.get_one(Calibration, number)
    if row.state == calibrations.FAILED:
        raise CalibrationError(f"Calibration {number} failed: {row.reason}")
    if row.state not in (calibrations.ADOPTED, calibrations.REFUSED):
        raise CalibrationError(f"Calibration {number} is {row.state}: another process has it. Look again in a while.")
    return {"state": row.state, "base": row.base, "model_version": row.model_version, **row.report}


def _revert(database: Database, versions: Versions, as_json: bool) -> None:
    with database.write() as session:
        row = calibrating.revert(session, versions, who=WHO)
        present = versions.present(session)
    if row is None:
        raise CalibrationError("No calibration is in force for this model: there is nothing to revert.")
    if as_json:
        click.echo(json.dumps({"state": row.state, "base": row.model_version, "model_version": present}))
    else:
        click.echo(f"Reverted. New questions are answered by {present} again.")


def _known(database: Database, project: str | None) -> int | None:
    with database.read() as session:
        project_id = project_number(session, project)
        if project_id is not None and projects.find(session, project_id) is None:
            raise SettingsError(f"There is no project {project_id} in the database.")
    return project_id


@contextmanager
def _bar(what: str) -> Iterator[Callable[[float], None]]:
    with tqdm(total=100, desc=what, unit="%", disable=None, leave=False) as bar:
        yield lambda share: bar.update(round(100 * share) - bar.n)


def _lines(report: dict[str, Any]) -> Iterator[str]:
    yield f"{report['items']} corrected items of {report['videos']} videos, under {report['base']}"
    for reason, number in sorted(Counter(report["left_out"]).items()):
        yield f"{number} left out: {reason}"
    before, after = report["before"], report["after"]
    if before is not None and after is not None:
        yield _ROW.format(name="HELD OUT", before="BEFORE", after="AFTER")
        for name, title in _FIGURES.items():
            yield _ROW.format(name=title, before=f"{before[name]:.3f}", after=f"{after[name]:.3f}")
        low, high = report["interval"]
        yield f"gain in m_vIoU: {report['gain']:+.3f} (95 % interval {low:+.3f} to {high:+.3f} over videos)"
        lost = f"{before['lost_second_looks']} before and {after['lost_second_looks']} after"
        yield f"second looks that would be taken elsewhere: {lost}; there the first look's ends count"
    for name, value in report["proposed"].items():
        yield f"- {name} = {value} (in {report['stability'][name]:.0%} of the folds)"
    yield _verdict(report)


def _verdict(report: dict[str, Any]) -> str:
    if report["state"] == calibrations.ADOPTED:
        return f"Adopted: new questions are answered by {report['model_version']}. Undo: stvg calibrate --revert"
    if report["reason"]:
        return f"Not adopted: {report['reason']}"
    return f"Would be adopted as {report['model_version']}."
