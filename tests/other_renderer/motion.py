"""How one thing looks at any frame: place, size, visibility. Exact, in pixels of the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WAYS = {"moving left": (-1, 0), "moving right": (1, 0), "moving up": (0, -1), "moving down": (0, 1)}
EASINGS = ("even", "soft", "late", "early")


@dataclass(frozen=True)
class Thing:
    """A coloured shape that acts once, or never (``action`` None).

    Attributes:
        first, last: the action's frames, 0-based, both included: from the first frame that looks different from the
            rest before to the last one that looks different from the rest after. A blinking begins and ends faint.
        place: centre before the action, in pixels; ``radius`` half of its extent there.
        reach: moving: pixels along the way; growing, shrinking: the factor; shaking: pixels to each side.
        easing: how the speed changes on the way.
        rhythm: shaking: two frequencies in Hz; blinking: seconds faint and seconds bright.
        turn: phases of the rhythm.
        faint: opacity while faint.
        opacity: of the thing otherwise.
        tint: RGB.
    """

    colour: str
    shape: str
    action: str | None
    first: int
    last: int
    place: tuple[float, float]
    radius: float
    reach: float
    easing: str
    rhythm: tuple[float, float]
    turn: tuple[float, float]
    faint: float
    opacity: float
    tint: tuple[int, int, int]

    def poses(self, frames: np.ndarray, fps: float) -> np.ndarray:
        """``(T, 4)``: centre x and y in pixels, radius in pixels, opacity."""
        frames = np.asarray(frames, np.float64)
        out = np.tile([*self.place, self.radius, self.opacity], (len(frames), 1))
        if self.action is None:
            return out
        # The frame before the action shows the rest before, the last one of it the rest after it.
        share = eased(((frames - self.first + 1) / (self.last - self.first + 1)).clip(0, 1), self.easing)
        acts, seconds = (frames >= self.first) & (frames <= self.last), (frames - self.first) / fps
        if self.action in WAYS:
            out[:, :2] += share[:, None] * self.reach * np.array(WAYS[self.action])
        elif self.action in ("growing", "shrinking"):
            out[:, 2] *= 1 + share * (self.reach - 1)
        elif self.action == "shaking":
            for axis in (0, 1):
                wave = np.sin(2 * np.pi * self.rhythm[axis] * seconds + self.turn[axis])
                out[:, axis] += acts * self.reach * (1.0, 0.6)[axis] * wave
        else:
            out[acts & self._faint(seconds, (self.last - self.first + 1) / fps), 3] = self.faint
        return out

    def _faint(self, seconds: np.ndarray, length: float) -> np.ndarray:
        """Faint and bright in turn, stretched so that it ends faint."""
        faint, bright = self.rhythm
        turns = max(1, round((length + bright) / (faint + bright)))
        stretch = length / (turns * faint + (turns - 1) * bright)
        # Half a microsecond: a frame that lies on the border belongs to what begins there.
        return (seconds + 5e-7) % ((faint + bright) * stretch) < faint * stretch

    def boxes(self, frames: np.ndarray, fps: float, width: int, height: int) -> np.ndarray:
        """``(T, 4)`` normalised xyxy, cut at the border; NaN where less than a fifth of it is inside.

        What lies behind another thing counts: the box is where the thing is.
        """
        pose = self.poses(frames, fps)
        full = np.concatenate([pose[:, :2] - pose[:, 2:3], pose[:, :2] + pose[:, 2:3]], axis=1)
        cut = full.clip(0, (width, height, width, height))
        share = (cut[:, 2:] - cut[:, :2]).prod(axis=1) / (2 * pose[:, 2]) ** 2
        cut[share < 0.2] = np.nan
        return cut / (width, height, width, height)


def eased(share: np.ndarray, easing: str) -> np.ndarray:
    """How far along the way, from 0 to 1; "late" begins slowly, "early" ends slowly, "soft" does both."""
    if easing == "soft":
        return share * share * (3 - 2 * share)
    if easing == "late":
        return share**1.7
    if easing == "early":
        return 1 - (1 - share) ** 1.7
    return share
