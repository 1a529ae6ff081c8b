"""How does people's work go? Per project, day, annotator and model version.

What is done and what waits, how long a label takes, what the suggestions save, how far people agree, and why labels
came back. The database groups and sums: what comes out is one row per group, however many labels there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from sqlalchemy.orm import Session

from backend.db.types import now
from backend.review.dashboard_queries import DAY, EVERY, PERSON, PROJECT, VERSION, Chosen, came_back, labels, waiting

__all__ = ["DAYS", "SHOWN", "Chosen", "Dashboard", "Figures", "Groups", "look"]

SHOWN = 50
"""Groups of a kind on the page, those with the most labels; it says how many more there are."""
DAYS = 60
"""Days on the page, the last ones of those asked for."""


@dataclass
class Figures:
    """One group; ``key`` is None where labels have no author or come from no suggestion.

    Attributes:
        done: labels: the versions that count of each annotation, without skips.
        to_annotate: tasks that wait for an annotator now; ``to_review``: for a reviewer.
        lead_time_s: median seconds that a label took, over the ``timed`` ones where it is known.
        saved: share of the edits that the suggestions saved; None where there was nothing to save.
        agreement: mean pairwise vIoU, every one of the ``compared`` tasks counting once.
        reasons: how often a reviewer rejected a label or sent it back, by reason, the most frequent first.
    """

    key: str | None = None
    done: int = 0
    to_annotate: int = 0
    to_review: int = 0
    lead_time_s: float | None = None
    timed: int = 0
    saved: float | None = None
    agreement: float | None = None
    compared: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def came_back(self) -> int:
        return sum(self.reasons.values())

    @property
    def size(self) -> int:
        """By which groups are ordered: labels first, then what waits."""
        return self.done + self.to_annotate + self.to_review + self.came_back


@dataclass(frozen=True)
class Groups:
    """The largest groups of a kind, and how many more there are."""

    rows: list[Figures]
    more: int = 0

    def largest(self, name: str) -> float:
        """The largest number of a column, for its bars; 1 where there is none."""
        return max((getattr(row, name) or 0 for row in self.rows), default=0) or 1


@dataclass(frozen=True)
class Dashboard:
    """The page. ``days`` are in order and without gaps; ``more`` of them says how many days with figures are cut."""

    total: Figures
    days: Groups
    projects: Groups
    people: Groups
    versions: Groups


def look(session: Session, chosen: Chosen) -> Dashboard:
    """Everything under the filter. What waits is the present state, whatever days were asked for (but for ``days``)."""
    found: dict[str, dict[str | None, Figures]] = {kind: {} for kind in (EVERY, PROJECT, DAY, PERSON, VERSION)}

    def of(kind: str, key: str | None) -> Figures:
        return found[kind].setdefault(key, Figures(key))

    for row in labels(session, chosen):
        mine = of(row.kind, row.key)
        mine.done, mine.lead_time_s, mine.timed = row.done, row.lead_time_s, row.timed
        mine.saved = 1 - row.edits / row.from_nothing if row.from_nothing else None
        mine.agreement, mine.compared = row.agreement, row.compared
    for kind, key, for_review, count in waiting(session, chosen):
        mine = of(kind, key)
        if for_review:
            mine.to_review += count
        else:
            mine.to_annotate += count
    for kind, key, reason, count in came_back(session, chosen):
        of(kind, key).reasons[reason] = count
    every = next(iter(found[EVERY].values()), Figures())
    return Dashboard(
        total=every,
        days=_days(found[DAY].values(), chosen),
        projects=_largest(found[PROJECT].values()),
        people=_largest(found[PERSON].values()),
        versions=_largest(found[VERSION].values()),
    )


def _largest(rows: Iterable[Figures]) -> Groups:
    ordered = sorted(rows, key=lambda row: (-row.done, -row.size, row.key or ""))
    return Groups(ordered[:SHOWN], max(0, len(ordered) - SHOWN))


def _days(rows: Iterable[Figures], chosen: Chosen) -> Groups:
    """Every day from the first to the last one, at most the last ``DAYS``."""
    known = {date.fromisoformat(row.key): row for row in rows if row.key}
    inside = {
        day: row
        for day, row in known.items()
        if (chosen.first is None or day >= chosen.first) and (chosen.last is None or day <= chosen.last)
    }
    if not inside:
        return Groups([])
    # A clock that is wrong must not push everybody's days off the page.
    last = min(max(inside), max(now().date() + timedelta(days=1), min(inside)))
    first = max(min(inside), date.fromordinal(max(1, last.toordinal() - DAYS + 1)))
    shown = [date.fromordinal(number) for number in range(first.toordinal(), last.toordinal() + 1)]
    return Groups(
        [inside.get(day) or Figures(day.isoformat()) for day in shown],
        sum(not first <= day <= last for day in inside),
    )
