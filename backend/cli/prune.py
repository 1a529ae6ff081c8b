"""``stvg prune``: remove what is older than the settings allow and nobody needs."""

from __future__ import annotations

import re
import shutil
import time
from datetime import timedelta
from pathlib import Path

import click

from backend.bootstrap import ready_database
from backend.db import pruning
from backend.db.engine import Database
from backend.db.types import now
from backend.media.cache import MediaCache
from backend.settings import Settings, load_settings
from stvg_core.errors import StvgError

_DAY_S = 24 * 3600.0
_LEFT = re.compile(r"\..+\.(part|old)-[0-9a-f]{8}")
"""What an export is called before it is whole (``backend.export.outputs``)."""


class PruneError(StvgError):
    """Nothing can be removed; the message says why."""


@click.command()
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option(
    "--exports", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Also what exports that were stopped left in this folder, if it is older than a day.",
)  # fmt: skip
def command(dry_run: bool, exports: Path | None) -> None:
    """Remove what nobody needs any more: STVG_KEEP_EVENTS_DAYS, STVG_KEEP_JOBS_DAYS and STVG_KEEP_VIDEOS_DAYS say
    after how many days. Annotations, predictions, decisions and diffs always stay.
    """
    settings = load_settings()
    kept = settings.keep_events_days, settings.keep_jobs_days, settings.keep_videos_days
    if exports is None and all(days is None for days in kept):
        raise PruneError(
            "Everything is kept: set STVG_KEEP_EVENTS_DAYS, STVG_KEEP_JOBS_DAYS or STVG_KEEP_VIDEOS_DAYS, or name a "
            "folder with --exports."
        )
    if settings.keep_events_days is not None or settings.keep_jobs_days is not None:
        with ready_database(settings) as database:
            _rows(database, settings, dry_run)
    done = "would be removed" if dry_run else "removed"
    if settings.keep_videos_days is not None:
        size = _videos(settings.data_dir / "media", settings.keep_videos_days, dry_run)
        click.echo(f"Fetched videos {done}: {size / 1e6:.1f} MB.")
    if exports is not None:
        click.echo(f"Unfinished exports {done}: {_parts(exports, dry_run)}.")


def _rows(database: Database, settings: Settings, dry_run: bool) -> None:
    done = "would be removed" if dry_run else "removed"
    at = now()
    if settings.keep_events_days is not None:
        before = at - timedelta(days=settings.keep_events_days)
        count = (pruning.count_bodies if dry_run else pruning.drop_bodies)(database, before)
        click.echo(f"Bodies of webhooks {done}: {count}.")
    if settings.keep_jobs_days is not None:
        before = at - timedelta(days=settings.keep_jobs_days)
        count = (pruning.count_jobs if dry_run else pruning.drop_jobs)(database, before)
        click.echo(f"Finished jobs {done}: {count}.")


def _videos(folder: Path, days: float, dry_run: bool) -> int:
    """Bytes of what was not used for so long; the cache is fetched anew where it is needed again."""
    if not dry_run:
        return MediaCache(folder, 0, in_use_s=days * _DAY_S).evict(0)
    size = 0
    for meta in folder.glob("*/.meta.json"):
        try:
            if time.time() - meta.stat().st_mtime >= days * _DAY_S:
                size += sum(file.stat().st_size for file in meta.parent.iterdir())
        except OSError:
            continue  # it is removed at this moment
    return size


def _parts(folder: Path, dry_run: bool) -> int:
    """How many files and folders that a stopped export left behind."""
    found = 0
    for path in sorted(folder.iterdir()):
        if _LEFT.fullmatch(path.name) is None or path.is_symlink():
            continue
        if time.time() - path.stat().st_mtime < _DAY_S:
            continue
        found += 1
        if dry_run:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return found
