"""``stvg prelabel --dry-run``: look at every video and say what a run would do; nothing is stored."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy.orm import Session

from backend.bootstrap import find_database, open_media, open_versions
from backend.cli.prelabel_output import Output
from backend.cli.prelabel_request import SOME_FAILED, Asked, local_places, name_of
from backend.cli.stopping import Stopping
from backend.db import projects, runs
from backend.media.decoding import open_decoding
from backend.prelabel.checking import LOOKS, Known, Pace, check
from backend.prelabel.looking import Look
from backend.prelabel.recognise import Kind
from backend.prelabel.shard import Shard
from backend.prelabel.sources import Source
from backend.runs.preview import KnownItems
from backend.settings import Settings
from stvg_core.tube import VideoInfo


def only_look(
    settings: Settings, source: Source, asked: Asked, look: Look, output: Output, *, share: Shard | None, workers: int,
    limit: int | None, retry_failed: bool,
) -> int:  # fmt: skip
    """Say what a run would do; returns the exit status, which is 3 where some of it could not be done."""
    pace, known = None, lambda item: Known.NEW
    with ExitStack() as stack:
        if (database := find_database(settings)) is not None:
            stack.callback(database.close)
            with database.read() as session:
                version = open_versions(settings).present(session)
                each = runs.seconds_each(session, version)
                known = _known(session, settings, source, asked, version, retry_failed) or known
            pace = None if each is None else Pace(0.0, each, workers)
        media = open_media(settings, None, database)
        result = check(
            source.read(), look, pace=pace, shard=share, have=lambda one: media.here(one, project=-1) is not None,
            known=known, limit=limit, every_repetition=source.kind is Kind.PROJECT, tell=output.found,
            progress=output.looking,
        )  # fmt: skip
    output.dry_run(result)
    return SOME_FAILED if result.bad else 0


def _known(
    session: Session, settings: Settings, source: Source, asked: Asked, version: str, retry_failed: bool
) -> KnownItems | None:
    """What the database knows of the source's items; None where it does not know the project."""
    if source.project is not None:
        return KnownItems(session, source.project, version, retry_failed=retry_failed)
    project = projects.find_local(session, asked.title or name_of(asked.text))
    if project is None:
        return None
    places = local_places(settings, project.id)
    return KnownItems(session, project.id, version, retry_failed=retry_failed, places=places)


def prober(settings: Settings, stopping: Stopping, stack: ExitStack) -> Callable[[Path], VideoInfo]:
    """What is in a file of this machine, as a process of its own finds it out: a file may make a decoder hang."""
    decoding = open_decoding(settings.decode_seconds, settings.decode_memory_bytes, idle=LOOKS)
    if decoding is None:
        return _probe
    decoding.alive = stopping.check
    stack.callback(decoding.close)
    return decoding.probe


def _probe(path: Path) -> VideoInfo:
    from stvg_core.video import probe  # the decoders are slow to load

    return probe(path)
