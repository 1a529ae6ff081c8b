"""What does the worker need of a model?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from stvg_core.tube import Grounding

Progress = Callable[[float, str], None]
"""Called with a share in [0, 1] and the name of the stage. It may raise, to stop the work."""


class Engine(Protocol):
    """Something that grounds sentences; loaded once, used for every job of a worker."""

    @property
    def model_version(self) -> str: ...

    def become(self, model_version: str) -> bool:
        """Answer as this version from now on; False where that takes other weights or another look at the video."""
        ...

    def ground(self, path: Path, query: str, progress: Progress) -> Grounding:
        """Find the tube in a local file. Raises StvgError for what a person can mend."""
        ...

    def follow(self, path: Path, query: str, frame: int, box: Sequence[float], progress: Progress) -> Grounding:
        """The tube of the object in a box, normalised xyxy, that was drawn on a 0-based frame; raises likewise."""
        ...
