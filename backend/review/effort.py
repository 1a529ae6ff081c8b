"""What do suggestions save? Edits from the suggestion to the accepted tube against edits from nothing.

Both are minimal (``backend.review.edits``): a lower bound of the work, counted alike on both sides. A suggestion that
was removed costs its edit and saves none; one that was missed (no tube proposed) saves none either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.annotations import marks
from backend.db.tables import Annotation, Diff, Task
from backend.review import diff, recording
from backend.review.drawn_tube import Drawn
from stvg_core.keyframes import simplify
from stvg_core.tube import Tube

COUNTED = (diff.ACCEPTED, diff.ENDS, diff.BOXES, diff.BOTH, diff.OTHER, diff.REJECTED, diff.DRAWN)
"""The kinds of change that end with a tube, or with the removal of one, in the order of the table."""


@dataclass(frozen=True)
class Case:
    """One tube that a person wanted (or refused).

    Attributes:
        change: its kind, one of ``COUNTED``.
        edits, edits_from_nothing: with the suggestion and without.
        suggested: there was an answer of a model to begin with, be it an empty one.
        lead_time_s: seconds that the person took, where known.
        viou: of the suggestion, where both tubes exist.
    """

    change: str
    edits: int
    edits_from_nothing: int
    suggested: bool
    lead_time_s: float | None = None
    viou: float | None = None


@dataclass(frozen=True)
class Effort:
    """A row of the report: medians, and the share of all edits that were saved (None where there were none to save)."""

    n: int
    median_with: float | None
    median_without: float | None
    saved: float | None
    median_lead_time_s: float | None
    n_lead_times: int

    def to_json(self) -> dict[str, Any]:
        return {
            "n": self.n,
            "median_edits_with": self.median_with,
            "median_edits_without": self.median_without,
            "share_saved": None if self.saved is None else round(self.saved, 4),
            "median_lead_time_s": self.median_lead_time_s,
            "n_lead_times": self.n_lead_times,
        }


def stored_cases(
    session: Session, left_out: Counter[str], *, project_id: int | None = None, marked: Counter[str] | None = None
) -> list[Case]:
    """One case per object, from the version that counts; a version without its diff is compared now.

    The lead time is the annotation's and stands with the task's own object.

    Args:
        left_out: filled with the kinds of change that are no case (skipped, unreadable, left empty) and how many.
        marked: filled with how many annotations a person should look at, by kind of mark.
    """
    cases = _further_cases(session, project_id)
    for row, found in recording.walk(session, project_id=project_id):
        if marked is not None and not row.was_cancelled:
            marked.update(marks.of_tubes(row.tubes))
        if found.change not in COUNTED or found.edits is None or found.edits_from_nothing is None:
            left_out[found.change] += 1
            continue
        suggested = row.prediction_id is not None
        cases.append(Case(found.change, found.edits, found.edits_from_nothing, suggested, row.lead_time_s, found.viou))
    return cases


def _further_cases(session: Session, project_id: int | None) -> list[Case]:
    """One per object with a sentence of its own."""
    columns = Diff.change, Diff.edits, Diff.edits_from_nothing, Diff.prediction_id, Diff.viou
    query = select(*columns).join(Annotation, Annotation.id == Diff.annotation_id)
    query = query.where(Diff.object > 0, Annotation.current.is_(True))
    if project_id is not None:
        query = query.join(Task, Task.id == Annotation.task_id).where(Task.project_id == project_id)
    known = query.where(Diff.edits.is_not(None), Diff.edits_from_nothing.is_not(None))
    return [
        Case(row.change, row.edits, row.edits_from_nothing, row.prediction_id is not None, viou=row.viou)
        for row in session.execute(known)
    ]


def dataset_cases(truth: Mapping[str, Tube], predicted: Mapping[str, Tube]) -> list[Case]:
    """One case per true tube, as if an annotator turned each prediction into the truth.

    A prediction is shown as its keyframes at IoU >= 0.9, as a worker stores it; one that is missing saves nothing.
    """
    cases = []
    for name, tube in truth.items():
        suggestion = simplify(predicted[name]) if name in predicted else []
        found = diff.compare(suggestion, Drawn.whole(tube))
        assert found.edits is not None and found.edits_from_nothing is not None
        viou = None if found.overlap is None else found.overlap.viou
        cases.append(Case(found.change, found.edits, found.edits_from_nothing, True, viou=viou))
    return cases


def total(cases: Sequence[Case]) -> Effort:
    """Over everything that began with a model's answer."""
    return summarise([case for case in cases if case.suggested])


def by_change(cases: Sequence[Case]) -> dict[str, Effort]:
    """One row per kind of change that occurs."""
    groups = {change: [case for case in cases if case.change == change] for change in COUNTED}
    return {change: summarise(group) for change, group in groups.items() if group}


def summarise(cases: Iterable[Case]) -> Effort:
    """The share saved is of the sums: 1 - edits with / edits without. It is negative where suggestions cost more."""
    cases = list(cases)
    times = [case.lead_time_s for case in cases if case.lead_time_s is not None]
    without = sum(case.edits_from_nothing for case in cases)
    return Effort(
        n=len(cases),
        median_with=_median([case.edits for case in cases]),
        median_without=_median([case.edits_from_nothing for case in cases]),
        saved=1 - sum(case.edits for case in cases) / without if without else None,
        median_lead_time_s=_median(times),
        n_lead_times=len(times),
    )


def _median(numbers: Sequence[float]) -> float | None:
    return float(median(numbers)) if numbers else None
