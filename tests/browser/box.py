"""A box on the screen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """Corners in pixels of the window."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def centre(self) -> tuple[float, float]:
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2

    def farthest_edge(self, other: Box) -> float:
        """How far apart the worst pair of edges is."""
        pairs = ((self.x1, other.x1), (self.y1, other.y1), (self.x2, other.x2), (self.y2, other.y2))
        return max(abs(a - b) for a, b in pairs)
