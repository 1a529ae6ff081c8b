"""What does an annotation want to know of its video, and what came of it?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.labelstudio.result import Interval
from stvg_core.tube import Tube

_DIGITS = 5


@dataclass(frozen=True)
class Wish:
    """A box to be followed in the video.

    Attributes:
        frame, box: where it is known, 0-based and normalised xyxy.
        first, last: the frames for which boxes are wanted, both included; None where the ends of the sentence's action
            are wanted as well.
        offer: the box stands alone, and what is found is shown beside the annotation; else its frames, before or
            behind ``frame``, become part of the tube.
    """

    frame: int
    box: tuple[float, float, float, float]
    first: int | None = None
    last: int | None = None
    offer: bool = False

    @property
    def key(self) -> str:
        """The same for the same wish."""
        content = [self.frame, [round(side, _DIGITS) for side in self.box], self.first, self.last, self.offer]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        return {"frame": self.frame, "box": list(self.box), "first": self.first, "last": self.last, "offer": self.offer}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Wish:
        x1, y1, x2, y2 = (float(side) for side in stored["box"])
        ends = stored.get("first"), stored.get("last")
        return cls(int(stored["frame"]), (x1, y1, x2, y2), *ends, offer=bool(stored.get("offer")))


@dataclass(frozen=True)
class Found:
    """What came of a wish: boxes from ``tube.start_frame`` on, and the frames on which the object was really seen.

    Frames that are wanted and not seen have the nearest box held.
    """

    tube: Tube
    seen: Interval


Followed = Callable[[Wish], Found | None]
"""What a worker found for a wish; None where it has not looked, or could not."""


def nothing(wish: Wish) -> Found | None:
    """No worker has looked yet."""
    return None


def wishes(entries: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], Wish]]:
    """Everything that a worker should look for, with the entry that wants it."""
    return [(entry, Wish.from_json(one)) for entry in entries for one in entry.get("wishes") or []]
