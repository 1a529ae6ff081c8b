"""On which frames is a CVAT track drawn, and where? Frames count in the source video, boxes are corners in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin
from xml.etree.ElementTree import Element

import numpy as np

from stvg_core.datasets.base import MAX_FRAMES, DatasetError

OTHER_SHAPES = ("polygon", "polyline", "points", "ellipse", "mask", "cuboid", "skeleton")


@dataclass(frozen=True)
class Span:
    """Which frames of the source video a task or a job has.

    Attributes:
        first: the first one.
        step: every how many frames one was taken (``frame_filter``).
        last: the last one; None where the file does not say it.
    """

    first: int = 0
    step: int = 1
    last: int | None = None

    def last_before(self, frame: int) -> int:
        """The last of the task's frames before ``frame``."""
        return self.first + (frame - 1 - self.first) // self.step * self.step


@dataclass(frozen=True)
class _Box:
    """``corners`` ``x1, y1, x2, y2`` before the turn, ``turn`` in degrees around their centre."""

    corners: list[float]
    turn: float
    outside: bool

    def around(self) -> list[float]:
        """Corners of the upright box around the turned one."""
        if not self.turn % 360:
            return self.corners
        x1, y1, x2, y2 = self.corners
        across, down = abs(cos(radians(self.turn))), abs(sin(radians(self.turn)))
        width, height = (x2 - x1) * across + (y2 - y1) * down, (x2 - x1) * down + (y2 - y1) * across
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        return [round(v, 6) for v in (x - width / 2, y - height / 2, x + width / 2, y + height / 2)]

    def towards(self, other: _Box, share: float) -> _Box:
        """In between: corners linear, the turn by the shorter way."""
        corners = np.array(self.corners) * (1 - share) + np.array(other.corners) * share
        turn = (other.turn - self.turn + 180) % 360 - 180
        return _Box([float(v) for v in corners], self.turn + turn * share, outside=False)


def drawn(where: str, track: Element, span: Span) -> dict[int, list[float]]:
    """Every frame on which the track is drawn and its box, in order.

    Between two of its boxes the object moves linearly, from an outside one on it is off, and after the last it stays
    where it is to the task's last frame. Of a task with a step, the object is taken to be off from the last of the
    task's frames on that shows it.

    Raises:
        DatasetError: a box that is none, two boxes on one frame, another shape.
    """
    other = next((shape for shape in OTHER_SHAPES if track.find(shape) is not None), None)
    if other is not None:
        raise DatasetError(f"{where} is drawn as {other}; only boxes (rectangles) are read.")
    known = _boxes(where, track, span)
    order = sorted(known)
    found: dict[int, list[float]] = {}
    for place, here in enumerate(order):
        box = known[here]
        if box.outside:
            continue
        found[here] = box.around()
        if place + 1 == len(order):
            found |= dict.fromkeys(range(here + 1, (here if span.last is None else span.last) + 1), box.around())
            continue
        following = order[place + 1]
        target = known[following]
        end = span.last_before(following) + 1 if target.outside else following
        for frame in range(here + 1, end):
            found[frame] = box.towards(target, (frame - here) / (following - here)).around()
    return found


def _boxes(where: str, track: Element, span: Span) -> dict[int, _Box]:
    known: dict[int, _Box] = {}
    for tag in track.findall("box"):
        try:
            frame = int(tag.get("frame", ""))
            corners = [float(tag.get(side, "")) for side in ("xtl", "ytl", "xbr", "ybr")]
            turn = float(tag.get("rotation") or 0)
        except ValueError as error:
            raise DatasetError(f"{where} has a box without a usable frame, xtl, ytl, xbr and ybr.") from error
        upright = corners[0] <= corners[2] and corners[1] <= corners[3]
        if not 0 <= frame < MAX_FRAMES or not np.isfinite([*corners, turn]).all() or not upright:
            raise DatasetError(f"{where} has an impossible box on frame {frame}.")
        if frame in known:
            raise DatasetError(f"{where} has two boxes on frame {frame}.")
        outside = tag.get("outside", "0").strip().lower() in ("1", "true")
        if not outside and (frame < span.first or (span.last is not None and frame > span.last)):
            raise DatasetError(
                f"{where} has a box on frame {frame}, but the task has frames {span.first} to {span.last} of the video."
            )
        known[frame] = _Box(corners, turn, outside)
    return known
