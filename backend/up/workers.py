"""Workers that are started again when they end. How often, after how long, and when is one given up?"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backend.processes import Child, ProcessError
from backend.runs.child import how_it_ended

WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Before each new start; there are no more starts than these."""
STEADY_S = 600.0
"""Of a worker that has run for so long the earlier ends do not count any more."""


@dataclass
class _Place:
    child: Child
    since: float = 0.0
    ends: int = 0
    due: float | None = None
    """When it is started again; None while it runs, and when it is given up."""
    given_up: bool = False


class Workers:
    """The workers of one machine.

    Args:
        children: one for each; none is started yet.
        say: hears each end, each new start and each worker that is given up.
    """

    def __init__(
        self, children: Sequence[Child], say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._places = [_Place(child) for child in children]
        self._say, self._clock = say, clock

    def start(self) -> None:
        """Raises ProcessError when one cannot be started."""
        for place in self._places:
            self._start(place)

    def look(self) -> None:
        """See who has ended, and start those whose time has come.

        Raises:
            ProcessError: the last worker was given up; with its last lines.
        """
        for place in self._places:
            if place.given_up:
                continue
            if place.due is None:
                if not place.child.alive:
                    self._ended(place)
            elif self._clock() >= place.due:
                self._start(place)

    def _start(self, place: _Place) -> None:
        place.since, place.due = self._clock(), None
        place.child.start()

    def _ended(self, place: _Place) -> None:
        child, now = place.child, self._clock()
        child.kill()  # what it has left behind: a decoder
        status = child.status
        what = f"{child.name} {how_it_ended(status if status is not None else 0)}"
        if now - place.since >= STEADY_S:
            place.ends = 0
        if place.ends < len(WAITS_S):
            wait = WAITS_S[place.ends]
            place.ends += 1
            place.due = now + wait
            last = child.tail(1)
            self._say(
                f"{what}. It is started again in {wait:g} s ({place.ends} of {len(WAITS_S)}); its log: {child.log}"
                + (f"\n  {last}" if last else "")
            )
            return
        place.given_up = True
        text = f"{what}, and so it did {len(WAITS_S)} times before: it is given up."
        if all(other.given_up for other in self._places):
            raise ProcessError(f"{text} No worker is left. Its last lines ({child.log}):\n{child.tail()}")
        self._say(f"{text} The other workers go on; its log: {child.log}")
