"""Which attention heads agree best with the corrections? Their videos are looked at once more; nothing is stored.

Heads decide what the model is asked to show, so no stored score can tell. What comes out is a setting for a person to
set, not a calibration. This takes torch; the web process never imports it.
"""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.db.engine import Database
from backend.jobs.grounding import Media
from backend.jobs.usable_corrections import Source, gather
from backend.jobs.versions import Versions
from backend.media import MediaError
from stvg_core.calibration.heads import ChosenHeads, HeadItem, choose_heads
from stvg_core.calibration.items import Item
from stvg_core.calibration.looking import HeadLooks
from stvg_core.calibration.rejoin import CannotRejoin
from stvg_core.errors import NonFiniteError, QueryError, VideoError
from stvg_core.pipeline import Grounder

logger = logging.getLogger(__name__)

_LOOKING = 0.9
"""The share of the time that looking takes."""


@dataclass(frozen=True)
class HeadsFound:
    """What was chosen, and which corrections had no part in it, by reason."""

    chosen: ChosenHeads
    left_out: Counter[str]

    def to_json(self) -> dict[str, Any]:
        return self.chosen.to_json() | {"left_out": dict(self.left_out)}


def choose(
    database: Database, versions: Versions, media: Media, open_grounder: Callable[[], Grounder], *,
    project_id: int | None = None, progress: Callable[[float], None] = lambda share: None,
) -> HeadsFound:  # fmt: skip
    """Look at every corrected video again, and choose heads.

    Args:
        media: where the videos come from.
        open_grounder: loads the model; not called where nothing was corrected.
        project_id: only its corrections choose.

    Raises:
        ModelError: the model is missing, does not fit into the memory, or has no attention to look with.
    """
    with database.read() as session:
        present = versions.settings(session)
        found = gather(session, versions, present, project_id=project_id)
    left_out = found.left_out
    if not found.items:
        return HeadsFound(choose_heads([], present.temporal_heads or (), present), left_out)
    with tempfile.TemporaryDirectory(prefix="stvg-heads-") as folder:
        looks = HeadLooks(open_grounder(), present, Path(folder))
        seen: list[HeadItem] = []
        for number, item in enumerate(found.items, 1):
            try:
                seen.append(_looked(looks, item, found.sources[item.name], media))
            except (CannotRejoin, MediaError, VideoError, QueryError, NonFiniteError) as error:
                logger.warning("%s is left out: %s", item.name, error)
                left_out[_reason(error)] += 1
            progress(_LOOKING * number / len(found.items))
        chosen = choose_heads(
            seen, looks.present, present, lambda share: progress(_LOOKING + (1 - _LOOKING) * share)
        )  # fmt: skip
    return HeadsFound(chosen, left_out)


def _looked(looks: HeadLooks, item: Item, source: Source, media: Media) -> HeadItem:
    file = media.fetch(source.ref, task=source.task, project=source.project)
    if file.sha256 != source.sha256:
        raise CannotRejoin("another file at the video's address")
    return looks.look(item, file.path, source.sentence, source.parts)


def _reason(error: Exception) -> str:
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return reason
    return str(error)


_REASONS: dict[type[Exception], str] = {
    MediaError: "the video cannot be fetched", VideoError: "the video cannot be read",
    QueryError: "the sentence cannot be used", NonFiniteError: "the model answered with no numbers",
}  # fmt: skip
