"""Where are Label Studio and the videos, and how are they fetched?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from backend.db import projects
from backend.db.engine import Database
from backend.db.room import sqlite_file
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.transport import LabelStudioError
from backend.media import MediaLibrary, MediaUnavailable
from backend.media.cache import MediaCache
from backend.media.cloud import CloudFiles
from backend.media.download import Downloader
from backend.media.fetching import open_fetching
from backend.settings import Settings, SettingsError

NOT_PUSHED = "STVG_LABEL_STUDIO_URL or STVG_LABEL_STUDIO_TOKEN is not set: nothing is pushed"
_LABEL_STUDIO_TIMEOUT_S = 10.0


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
    """Where videos come from; arguments as of :func:`open_downloader`. They give way to the database's own needs."""
    cache = MediaCache(settings.data_dir / "media", settings.media_cache_bytes)
    downloader = open_downloader(settings, label_studio, database)
    media = MediaLibrary(
        cache, downloader, document_root=settings.document_root, cloud=open_cloud(settings),
        fetch=open_fetching(settings.fetch_seconds, settings.fetch_memory_bytes, settings.media_deadline_s),
    )  # fmt: skip
    if database is not None and (file := sqlite_file(database.engine)) is not None:
        database.make_room = partial(media.make_room_beside, file)
    return media


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
            return [*settings.aliases(), *projects.names_of(session, settings.label_studio_names())]

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
