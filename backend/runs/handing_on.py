"""Which settings does a worker on another machine get?

Those of the run: all machines must use one database and one model. What belongs to a machine is the machine's own:
where it keeps files, where it sees the videos and the model's folder. What only the web process needs stays at home.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import make_url

from backend.settings import Settings

PREFIX = "STVG_"

OWN = (
    "DATA_DIR", "DOCUMENT_ROOT", "MODEL", "MEDIA_CACHE_BYTES", "DECODE_MEMORY_BYTES", "FETCH_MEMORY_BYTES", "LOG_LEVEL",
    "LOG_FORMAT",
)  # fmt: skip
"""A machine's own value goes before that of the run."""
_AT_HOME = re.compile(
    r"HOST|PORT|WEB_.*|MAX_BODY_BYTES|INTERACTIVE_WAIT_S|USERNAME|PASSWORD|API_TOKEN|WEBHOOK_TOKEN|SECRET_KEY"
    r"|SESSION_HOURS|TRUSTED_PROXIES|HANDOUT_SECONDS|KEEP_.*|WORKER_METRICS_.*|DEVICE|TEST_.*"
)
"""Of the web process, of pruning, and of the machine that the run is started on."""


def handed_on(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    """What is sent to the machines: the run's variables, with whole paths. It holds secrets."""
    sent = {
        name: value
        for name, value in environment.items()
        if name.startswith(PREFIX) and not _AT_HOME.fullmatch(name.removeprefix(PREFIX))
    }
    sent[f"{PREFIX}DATABASE_URL"] = _whole(settings.database_url)
    sent[f"{PREFIX}DATA_DIR"] = str(settings.data_dir.absolute())
    if settings.document_root is not None:
        sent[f"{PREFIX}DOCUMENT_ROOT"] = str(settings.document_root.absolute())
    if f"{PREFIX}MODEL" in sent and Path(settings.model).is_dir():
        sent[f"{PREFIX}MODEL"] = str(Path(settings.model).absolute())
    return sent


def taken_over(sent: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a worker on this machine: ``environment`` is the machine's."""
    own = {f"{PREFIX}{name}" for name in (*OWN, "DEVICE")}
    kept = {name: value for name, value in environment.items() if not name.startswith(PREFIX) or name in own}
    return {**sent, **kept}


def _whole(url: str) -> str:
    """A database's address that means the same in every folder."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database.startswith((":", "file:")):
        return url
    return parsed.set(database=str(Path(parsed.database).absolute())).render_as_string(hide_password=False)
