"""What do the checks look at? The settings, and what they lead to where that can be opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from backend import bootstrap
from backend.db.engine import Database
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.transport import LabelStudioError
from backend.settings import Settings


@dataclass(frozen=True)
class Installation:
    """``database`` is None unless it is ready, ``label_studio`` unless address and token are set and usable.

    ``ask``: a request may be made that costs something.
    """

    settings: Settings
    database: Database | None = None
    label_studio: LabelStudioClient | None = None
    ask: bool = False


@contextmanager
def open_installation(settings: Settings, *, ask: bool = False) -> Iterator[Installation]:
    """Open what can be opened; closed at the end."""
    with ExitStack() as opened:
        database = bootstrap.find_database(settings)
        if database is not None:
            opened.callback(database.close)
        try:
            client = bootstrap.open_label_studio(settings)
        except LabelStudioError:
            client = None  # the check of Label Studio says why
        if client is not None:
            opened.callback(client.close)
        yield Installation(settings, database, client, ask)
