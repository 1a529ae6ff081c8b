"""Annotations as the labelling page saves them: a suggestion's box and its range, changed in one way or another."""

from __future__ import annotations

from typing import Any

from backend.annotations.objects import OwnSentence
from backend.annotations.read import Page, read
from backend.labelstudio.config import read_config
from labeling_config import video_tube

CONFIG = read_config(video_tube())
N_FRAMES = 100
FIRST, LAST = 10, 40
"""0-based ends of the suggestion ``tube-1``."""


def box(
    first: int = FIRST, last: int | None = LAST, *, name: str = "tube-1", label: str = "Target", x: float = 10,
    keyframes: list[dict[str, Any]] | None = None, **changes: Any,
) -> dict[str, Any]:  # fmt: skip
    """A box that moves right from ``x`` by 30 percent; without a ``last`` frame one keyframe that never ends."""
    rows = keyframes or [key(first, x), *([] if last is None else [key(last, x + 30, enabled=False)])]
    value = {"framesCount": N_FRAMES, "duration": 4.0, "labels": [label], "sequence": rows}
    whole = {"id": name, "from_name": "box", "to_name": "video", "type": "videorectangle", "value": value}
    return whole | changes


def key(frame: int, x: float, *, enabled: bool = True, **changes: Any) -> dict[str, Any]:
    """A keyframe on a 0-based frame, 20 wide and 30 high, in percent."""
    place = {"x": x, "y": 40, "width": 20, "height": 30, "rotation": 0}
    return {"frame": frame + 1, "enabled": enabled, "time": (frame + 1) / 25, **place, **changes}


def match(first: int = FIRST, last: int = LAST, *, name: str = "tube-1-span", label: str = "Match") -> dict[str, Any]:
    """A range on the timeline, 0-based ends included."""
    value = {"ranges": [{"start": first + 1, "end": last + 1}], "timelinelabels": [label]}
    return {"id": name, "from_name": "when", "to_name": "video", "type": "timelinelabels", "value": value}


def look(*regions: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:
    """The entries of an annotation that began from the suggestion ``tube-1``."""
    own: dict[str, OwnSentence] = changes.pop("own", {})
    followed = {"followed": changes.pop("followed")} if "followed" in changes else {}
    suggested = changes.pop("suggested", {"tube-1": (FIRST, LAST)})
    page = Page(N_FRAMES, suggested, own, **{"region_id": "tube-1", "aspect": 4 / 3, **changes})
    return read(list(regions), CONFIG, page, **followed)


def target(*regions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The entry of the region that answers the task's sentence."""
    (found,) = (entry for entry in look(*regions, **changes) if entry.get("target"))
    return found


def kinds(entry: dict[str, Any]) -> list[str]:
    return [one["mark"] for one in entry.get("marks", [])]
