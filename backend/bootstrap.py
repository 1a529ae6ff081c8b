"""Which parts are used? The only place where settings become a database, a model, media and Label Studio."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from backend.db import projects, schema
from backend.db.engine import Database
from backend.db.errors import DatabaseError
from backend.jobs import calibrating, due
from backend.jobs.corrections import Training, read_events
from backend.jobs.delivering import CLAIM_S, Outbox
from backend.jobs.engine import Answers, Engine, Progress
from backend.jobs.measuring import MeasuredEngine, MeasuredMedia, Measures
from backend.jobs.process import WorkerProcess
from backend.jobs.reconcile import reconcile_due
from backend.jobs.rereading import reread
from backend.jobs.ticker import OnCall, Ticker
from backend.jobs.versions import Versions
from backend.jobs.watcher import Watcher
from backend.jobs.worker import Worker
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.transport import LabelStudioError
from backend.language import endpoint_decomposer
from backend.logs import note_process
from backend.media import MediaLibrary, MediaUnavailable
from backend.media.cache import MediaCache
from backend.media.cloud import CloudFiles
from backend.media.decoding import open_ahead, open_decoding, reporting
from backend.media.download import Downloader
from backend.review import disagreement
from backend.settings import Settings, SettingsError
from stvg_core.settings import GroundingSettings, resolve
from stvg_core.tube import Grounding
from stvg_core.version import model_version

if TYPE_CHECKING:
    from stvg_core.decomposition import Decomposer
    from stvg_core.proposals.extending import Extended

_LABEL_STUDIO_TIMEOUT_S = 10.0


_WORKER_CONNECTIONS = 5
"""Kept open while there is work: the worker, its lease and its chores ask side by side. An idle one closes them."""


def open_database(settings: Settings, *, connections: int = 20) -> Database:
    return Database(settings.database_url, connections=connections)


@contextmanager
def ready_database(settings: Settings) -> Iterator[Database]:
    """The database at this version's migration; closed at the end. Raises DatabaseError where it is not ready."""
    database = open_database(settings)
    try:
        schema.check_ready(database.engine)
        yield database
    finally:
        database.close()


@contextmanager
def ready_or_new_database(settings: Settings, tell: Callable[[str], None]) -> Iterator[Database]:
    """As :func:`ready_database`; where there is no database at all, or an empty one, it is made, which ``tell`` hears.

    One at an older migration is refused: moving on somebody's rows is for a person to decide.
    """
    database = open_database(settings)
    try:
        if schema.is_missing_or_empty(database.engine):
            schema.upgrade(database.engine)
            tell(f"made a new database: {database.engine.url.render_as_string(hide_password=True)}")
        schema.check_ready(database.engine)
        yield database
    finally:
        database.close()


def present_model_version(settings: Settings) -> str:
    """The string that web and worker agree on before any calibration; reads files, loads no model."""
    return model_version(settings.model, method_settings(settings))


def open_versions(settings: Settings, *, base: str | None = None) -> Versions:
    """The versions that calibrations make of the model; ``base`` where it is known already."""
    return Versions(settings.model, method_settings(settings), base=base)


def method_settings(settings: Settings) -> GroundingSettings:
    """The model's own preset with what the environment chose over it."""
    return replace(resolve(settings.model, None), **settings.method())  # type: ignore[arg-type]


def require_credentials(settings: Settings) -> None:
    """:class:`SettingsError` unless callers can be told apart from strangers."""
    basic = settings.username is not None and settings.password is not None
    if not basic and settings.api_token is None:
        raise SettingsError(
            "Nobody could log in: set STVG_USERNAME and STVG_PASSWORD (Label Studio sends them), or STVG_API_TOKEN."
        )


def open_label_studio(settings: Settings) -> LabelStudioClient | None:
    """The client, or None where its address or token is not set: then predictions go out in replies only."""
    if settings.label_studio_url is None or settings.label_studio_token is None:
        return None
    token = settings.label_studio_token.get_secret_value()
    return LabelStudioClient(settings.label_studio_url, token, timeout=_LABEL_STUDIO_TIMEOUT_S)


def require_label_studio(settings: Settings) -> LabelStudioClient:
    """The client, or :class:`SettingsError` where its address or token is not set."""
    client = open_label_studio(settings)
    if client is None:
        raise SettingsError("Where is Label Studio? Set STVG_LABEL_STUDIO_URL and STVG_LABEL_STUDIO_TOKEN.")
    return client


def open_media(
    settings: Settings, label_studio: LabelStudioClient | None, database: Database | None = None
) -> MediaLibrary:
    """Where videos come from; arguments as of :func:`open_downloader`."""
    cache = MediaCache(settings.data_dir / "media", settings.media_cache_bytes)
    downloader = open_downloader(settings, label_studio, database)
    return MediaLibrary(cache, downloader, document_root=settings.document_root, cloud=open_cloud(settings))


def open_downloader(
    settings: Settings, label_studio: LabelStudioClient | None, database: Database | None = None
) -> Downloader:
    """How web addresses are fetched.

    Args:
        database: where the names are found that Label Studio has for itself; None knows those of the settings only.
    """

    def aliases() -> list[str]:
        if database is None:
            return settings.aliases()
        with database.read() as session:
            return [*settings.aliases(), *projects.hostnames(session)]

    def headers() -> Mapping[str, str]:
        if label_studio is None:
            return {}
        try:
            return label_studio.auth_headers()
        except LabelStudioError as error:
            raise MediaUnavailable(str(error)) from None

    return Downloader(
        label_studio_url=settings.label_studio_url,
        label_studio_headers=headers,
        label_studio_aliases=aliases,
        allowed_origins=settings.allowed_origins(),
        max_bytes=settings.max_video_bytes,
        timeout_s=settings.media_timeout_s,
        deadline_s=settings.media_deadline_s,
    )


def open_cloud(settings: Settings) -> CloudFiles:
    """Objects of storages, fetched without Label Studio with the limits of all downloads."""
    return CloudFiles(settings.max_video_bytes, settings.media_timeout_s, settings.media_deadline_s)


def find_database(settings: Settings) -> Database | None:
    """The service's database where this machine has it ready, for commands that do without; the caller closes it."""
    try:
        url = make_url(settings.database_url)
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
            return None
        database = open_database(settings)
    except (ArgumentError, DatabaseError):
        return None
    try:
        schema.check_ready(database.engine)
    except DatabaseError:
        database.close()
        return None
    return database


def open_decomposer(settings: Settings, method: GroundingSettings) -> Decomposer | None:
    """The language model behind the endpoint, or None where the method splits sentences without one.

    Raises:
        EndpointError: the endpoint's address or model is missing or cannot be used.
    """
    if method.decomposer != "endpoint":
        return None
    key = None if settings.llm_key is None else settings.llm_key.get_secret_value()
    return endpoint_decomposer(settings.llm_url, method.decomposer_model, key)


def open_training(settings: Settings) -> Training:
    """What "Start Training" in Label Studio asks for: a calibration by the project's corrections."""
    versions = open_versions(settings)

    def ask(session: Session, project_id: int | None) -> None:
        calibrating.request(session, versions, project_id=project_id, requested_by="Label Studio")

    return ask


class LoadedGrounder:
    """The real engine. Torch is imported here, and only when a worker asks for it.

    Args:
        database: where calibrations are found; None stays with the base version.
    """

    def __init__(self, settings: Settings, database: Database | None = None) -> None:
        from stvg_core.pipeline import Grounder

        method = method_settings(settings)
        self._database, self._versions = database, open_versions(settings)
        self._decoding = open_decoding(settings.decode_seconds, settings.decode_memory_bytes)
        self._ahead = open_ahead(self._decoding, lambda info: self._grounder.needs(info))
        elsewhere: dict[str, Any] = {} if self._ahead is None else {"open_video": self._ahead.open}
        self._grounder = Grounder.from_pretrained(
            settings.model, device=settings.device, settings=method, decomposer=open_decomposer(settings, method),
            cache=settings.data_dir / "proposals", **elsewhere,
        )  # fmt: skip

    @property
    def model_version(self) -> str:
        return self._grounder.model_version

    def become(self, model_version: str) -> bool:
        """Change over to the settings of an adopted calibration, or back; the weights stay as they are."""
        if self._database is None:
            return False
        with self._database.read() as session:
            chosen = self._versions.of(session, model_version)
        if chosen is None:
            return False
        self._grounder.settings, self._grounder.model_version = chosen, model_version
        return True

    def prepare(self, path: Path, alive: Callable[[], None]) -> None:
        if self._ahead is not None:
            self._ahead.prepare(path, alive)

    def ground(self, path: Path, query: str, progress: Progress) -> Grounding:
        with reporting(self._decoding, progress) as report:
            return self._grounder.ground(path, query, progress=report)

    def ground_many(self, path: Path, queries: Sequence[str], progress: Progress) -> Answers:
        with reporting(self._decoding, progress) as report:
            yield from self._grounder.ground_each(path, queries, progress=report)

    def follow(self, path: Path, query: str, frame: int, box: Sequence[float], progress: Progress) -> Grounding:
        from stvg_core.proposals.following import Prompt

        with reporting(self._decoding, progress) as report:
            return self._grounder.follow(path, query, Prompt(frame, np.asarray(box)), progress=report)

    def extend(
        self, path: Path, frame: int, box: Sequence[float], first: int, last: int, progress: Progress
    ) -> Extended:
        from stvg_core.proposals.following import Prompt

        with reporting(self._decoding, progress) as report:
            return self._grounder.extend(path, Prompt(frame, np.asarray(box)), first, last, progress=report)


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
    client = label_studio or open_label_studio(settings)
    name = f"{socket.gethostname()}:{os.getpid()}"[:100]
    note_process(worker=name)
    measures = measures or Measures()
    versions, training = open_versions(settings), open_training(settings)
    worker = Worker(
        database,
        MeasuredMedia(open_media(settings, client, database), measures),
        MeasuredEngine(engine or LoadedGrounder(settings, database), measures),
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
    )
    worker.ended = measures.ended

    def calibrate() -> int:
        return calibrating.run_due(database, versions, name=name, lease_s=settings.lease_seconds, stop=worker.stop)

    watcher = Watcher(
        database, worker.stop, poll_s=settings.poll_seconds, looks=versions.looks, versions=worker.versions
    )

    def on_call(name: str, chore: Callable[[], object]) -> OnCall:
        return OnCall(name, chore, worker.stop, watcher.worked)

    chores: list[OnCall | Ticker] = [
        on_call(due.EVENTS, lambda: read_events(database, training)),
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
