"""The engine that a worker grounds with: the method on a loaded model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.bootstrap.method import method_settings, open_chat, open_grounder, open_versions
from backend.db.engine import Database
from backend.jobs.engine import Answers, Progress
from backend.media.decoding import open_ahead, open_decoding, reporting
from backend.settings import Settings
from stvg_core.tube import Grounding, Segment

if TYPE_CHECKING:
    from stvg_core.proposals.extending import Extended


class LoadedGrounder:
    """The real engine. Torch is imported here, and only when a worker asks for it.

    Attributes:
        chat: the model behind an endpoint, where one answers; else None.

    Args:
        database: where calibrations are found; None stays with the base version.
    """

    def __init__(self, settings: Settings, database: Database | None = None) -> None:
        self.chat = open_chat(settings, method_settings(settings))
        self._database, self._versions = database, open_versions(settings)
        self._decoding = open_decoding(settings.decode_seconds, settings.decode_memory_bytes)
        self._ahead = open_ahead(self._decoding, lambda info: self._grounder.needs(info))
        elsewhere: dict[str, Any] = {} if self._ahead is None else {"open_video": self._ahead.open}
        self._grounder = open_grounder(settings, self.chat, cache=settings.data_dir / "proposals", **elsewhere)
        self._grounder.proposer.load()  # what is wrong with it is said now, not by every job

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

    def prepare(self, path: Path, alive: Callable[[], None], segment: Segment | None = None) -> None:
        if self._ahead is not None:
            self._ahead.prepare(path, alive, lambda info: self._grounder.needs(info, segment))

    def ground(self, path: Path, query: str, progress: Progress, segment: Segment | None = None) -> Grounding:
        with reporting(self._decoding, progress) as report:
            return self._grounder.ground(path, query, progress=report, segment=segment)

    def ground_many(
        self, path: Path, queries: Sequence[str], progress: Progress, segment: Segment | None = None
    ) -> Answers:
        with reporting(self._decoding, progress) as report:
            yield from self._grounder.ground_each(path, queries, progress=report, segment=segment)

    def follow(self, path: Path, query: str, frame: int, box: Sequence[float], progress: Progress) -> Grounding:
        from stvg_core.proposals.following import DrawnBox

        with reporting(self._decoding, progress) as report:
            return self._grounder.follow(path, query, DrawnBox(frame, np.asarray(box)), progress=report)

    def extend(
        self, path: Path, frame: int, box: Sequence[float], first: int, last: int, progress: Progress
    ) -> Extended:
        from stvg_core.proposals.following import DrawnBox

        with reporting(self._decoding, progress) as report:
            return self._grounder.extend(path, DrawnBox(frame, np.asarray(box)), first, last, progress=report)
