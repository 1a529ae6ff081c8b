"""A worker with all that it does: jobs, webhooks, deliveries, calibrations, comparisons."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from sqlalchemy.orm import Session

from backend.bootstrap.databases import open_database
from backend.bootstrap.engine import LoadedGrounder
from backend.bootstrap.method import open_versions
from backend.bootstrap.places import open_label_studio, open_media
from backend.db import schema
from backend.db.engine import Database
from backend.jobs import calibrating, due
from backend.jobs.corrections import Training, read_events
from backend.jobs.delivering import CLAIM_S, Outbox
from backend.jobs.engine import Engine
from backend.jobs.measuring import EndpointCosts, MeasuredEngine, MeasuredMedia, Measures
from backend.jobs.pace import Pace
from backend.jobs.process import WorkerProcess
from backend.jobs.reconcile import reconcile_due
from backend.jobs.rereading import reread
from backend.jobs.ticker import OnCall, Ticker
from backend.jobs.watcher import Watcher
from backend.jobs.worker import Worker
from backend.labelstudio.client import LabelStudioClient
from backend.logs import note_process
from backend.review import disagreement
from backend.runs.child import worker_name
from backend.settings import Settings

_WORKER_CONNECTIONS = 5
"""Kept open while there is work: the worker, its lease and its chores ask side by side. An idle one closes them."""


def open_training(settings: Settings) -> Training:
    """What "Start Training" in Label Studio asks for: a calibration by the project's corrections."""
    versions = open_versions(settings)

    def ask(session: Session, project_id: int | None) -> None:
        calibrating.request(session, versions, project_id=project_id, requested_by="Label Studio")

    return ask


def open_worker(
    settings: Settings, *, engine: Engine | None = None, label_studio: LabelStudioClient | None = None,
    measures: Measures | None = None, project_id: int | None = None,
) -> WorkerProcess:  # fmt: skip
    """A worker ready to run.

    Args:
        project_id: only jobs of this project.

    Raises:
        DatabaseError: the database is away or at an old migration.
        ModelError: the model cannot be loaded.
    """
    database = open_database(settings, connections=_WORKER_CONNECTIONS)
    schema.check_ready(database.engine)
    schema.check_writable(database.engine)
    client = label_studio or open_label_studio(settings)
    name = worker_name(os.getpid())
    note_process(worker=name)
    measures = measures or Measures()
    versions, training = open_versions(settings), open_training(settings)
    loaded = engine or LoadedGrounder(settings, database)
    if isinstance(loaded, LoadedGrounder) and loaded.chat is not None:
        measures.registry.register(EndpointCosts(loaded.chat.costs.now))
    worker = Worker(
        database,
        MeasuredMedia(open_media(settings, client, database), measures),
        MeasuredEngine(loaded, measures),
        name=name,
        lease_s=settings.lease_seconds,
        stall_s=settings.stall_seconds,
        max_attempts=settings.max_attempts,
        max_deaths=settings.max_deaths,
        shared=settings.shared_sentences,
        ahead=settings.ahead,
        retry_s=settings.retry_seconds,
        poll_s=settings.poll_seconds,
        versions=None if engine is not None else versions.every,
        project_id=project_id,
        min_iou=settings.keyframe_iou,
    )
    worker.ended = measures.ended

    def calibrate() -> int:
        return calibrating.run_due(database, versions, name=name, lease_s=settings.lease_seconds, stop=worker.stop)

    watcher = Watcher(
        database, worker.stop, poll_s=settings.poll_seconds, looks=versions.looks, versions=worker.versions
    )

    def on_call(name: str, chore: Callable[[], object]) -> OnCall:
        return OnCall(name, chore, worker.stop, watcher.worked)

    pace = Pace.of(database)
    chores: list[OnCall | Ticker] = [
        on_call(due.EVENTS, lambda: read_events(database, training, pace=pace)),
        on_call(due.READ_AGAIN, lambda: reread(database)),
        on_call(due.COMPARE, lambda: disagreement.record_due(database)),
        on_call(due.CALIBRATE, calibrate),
    ]
    outbox = None
    if client is not None:
        outbox = Outbox(database, client, name=name, claim_s=min(CLAIM_S, settings.lease_seconds))
        chores.append(on_call(due.OUTBOX, outbox.send_due))
        if settings.reconcile_seconds > 0:
            chores.append(_reconciling(database, client, settings.reconcile_seconds, name, worker.stop))
    return WorkerProcess(worker, outbox, watcher, chores, training, calibrate)


def _reconciling(
    database: Database, client: LabelStudioClient, seconds: float, name: str, stop: threading.Event
) -> Ticker:
    def compare() -> int:
        return reconcile_due(database, client, name=name, seconds=seconds)

    return Ticker("reconcile", compare, min(seconds, 30.0), stop)  # often: another worker may have died of it
