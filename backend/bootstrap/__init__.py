"""Which parts are used? The only place where settings become a database, a model, media and Label Studio."""

from backend.bootstrap.databases import find_database, open_database, ready_database, ready_or_new_database
from backend.bootstrap.engine import LoadedGrounder
from backend.bootstrap.method import (
    method_settings,
    open_chat,
    open_decomposer,
    open_grounder,
    open_versions,
    present_model_version,
)
from backend.bootstrap.places import (
    NOT_PUSHED,
    open_cloud,
    open_downloader,
    open_label_studio,
    open_media,
    require_label_studio,
)
from backend.bootstrap.web import require_credentials
from backend.bootstrap.worker import open_training, open_worker

__all__ = [
    "NOT_PUSHED",
    "LoadedGrounder",
    "find_database",
    "method_settings",
    "open_chat",
    "open_cloud",
    "open_database",
    "open_decomposer",
    "open_downloader",
    "open_grounder",
    "open_label_studio",
    "open_media",
    "open_training",
    "open_versions",
    "open_worker",
    "present_model_version",
    "ready_database",
    "ready_or_new_database",
    "require_credentials",
    "require_label_studio",
]
