"""What does the worker need of a model?"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from stvg_core.tube import Grounding, Segment

if TYPE_CHECKING:
    from stvg_core.proposals.extending import Extended

Progress = Callable[[float, str], None]
"""Called with a share in [0, 1] and the name of the stage. It may raise, to stop the work."""

Answers = Generator[Grounding | Exception, None, None]
"""One after the other: what was found, or why nothing could be."""


class Engine(Protocol):
    """Something that grounds sentences; loaded once, used for every job of a worker."""

    @property
    def model_version(self) -> str: ...

    def become(self, model_version: str) -> bool:
        """Answer as this version from now on; False where that takes other weights or another look at the video."""
        ...

    def prepare(self, path: Path, alive: Callable[[], None], segment: Segment | None = None) -> None:
        """Open a file that will be grounded next, and decode what that will surely need; beside the work on another.

        Called from another thread than the rest. Whoever grounds the file meets what is wrong with it by himself.

        Args:
            alive: called again and again; what it raises ends the work, and nothing remains.
            segment: the part of the video that will be asked about, as of :meth:`ground`.
        """
        ...

    def ground(self, path: Path, query: str, progress: Progress, segment: Segment | None = None) -> Grounding:
        """Find the tube in a local file. Raises StvgError for what a person can mend.

        Args:
            segment: first and last frame of the part of the video that is looked at; None for all of it.
        """
        ...

    def ground_many(
        self, path: Path, queries: Sequence[str], progress: Progress, segment: Segment | None = None
    ) -> Answers:
        """For each sentence in turn what :meth:`ground` gives, or what it raises; what does not depend on the sentence
        is done once. A sentence is begun when its answer is asked for; ``progress`` speaks of that sentence alone.
        """
        ...

    def follow(self, path: Path, query: str, frame: int, box: Sequence[float], progress: Progress) -> Grounding:
        """The tube of the object in a box, normalised xyxy, that was drawn on a 0-based frame; raises likewise."""
        ...

    def extend(
        self, path: Path, frame: int, box: Sequence[float], first: int, last: int, progress: Progress
    ) -> Extended:
        """The object in a box on frames ``first`` to ``last``, whatever it does there; asks no language model."""
        ...
