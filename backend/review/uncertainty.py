"""How sure can one be of a suggestion, before anybody has looked at it? From the scores that grounding left behind.

Three parts, each in [0, 1] with 1 for a clear case; the uncertainty is 1 minus their plain mean. docs/review.md has how
well each orders real groundings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db import predictions, task_state
from backend.db.engine import Database
from backend.db.tables import Prediction, TaskState
from stvg_core.method.evidence import Evidence
from stvg_core.method.tracks import preference, same_object
from stvg_core.tube import Array

_PAGE = 100


@dataclass(frozen=True)
class Uncertainty:
    """What speaks for a suggestion, and how uncertain it is.

    Attributes:
        consistency: S_cons of the maps of the video and of its reverse; NaN without TAS.
        margin: how far the chosen track stands above the best track of any other object, 1 without one; NaN where the
            evidence does not say what the choice was made by (it is from before that was kept).
        peakiness: how clearly the chosen track's frame scores fall into two levels, inside and outside of the action.
        value: 1 is the most uncertain; 1 without a tube.
        said: for a locator that uses words, what speaks for the answer in place of those three, which are NaN; each in
            [0, 1] under a few words for a person.
    """

    consistency: float
    margin: float
    peakiness: float
    value: float
    said: Mapping[str, float] = field(default_factory=dict)


def of_evidence(evidence: Evidence) -> Uncertainty:
    """The parts that are known, and the value by their mean; without candidates nothing is known but the value, 1."""
    if evidence.chosen < 0:
        return Uncertainty(math.nan, math.nan, math.nan, 1.0)
    if evidence.said is not None:
        return Uncertainty(math.nan, math.nan, math.nan, 1.0 - evidence.said.score, dict(evidence.said.certainty))
    consistency = float(np.clip(evidence.consistency, 0.0, 1.0))
    peakiness = separation(np.asarray(evidence.frame_scores[evidence.chosen], dtype=np.float64))
    parts = (consistency, margin(evidence), peakiness)
    known = [part for part in parts if math.isfinite(part)]
    return Uncertainty(*parts, value=1.0 - sum(known) / len(known) if known else 1.0)


def margin(evidence: Evidence) -> float:
    """1 - (best track of another object / chosen track), by what the track was chosen by: S_obj and the proposer."""
    chosen, totals = evidence.chosen, np.asarray(evidence.track_scores, dtype=np.float64)
    others = ~same_object(evidence.track_boxes, chosen)
    if not others.any():
        return 1.0
    if len(evidence.proposer_scores) == 0:
        return math.nan
    weight = float(evidence.info.get("choice_weight", evidence.info.get("proposer_weight", 0.0)))
    preferred = preference(totals, evidence.proposer_scores, weight)
    best = float(preferred[chosen])
    return float(np.clip(1.0 - preferred[others].max() / best, 0.0, 1.0)) if best > 0 else 0.0


def separation(scores: Array) -> float:
    """The share of the variance of ``(T,)`` scores that the best split into a low and a high group explains.

    Otsu's criterion (IEEE Trans. SMC, 1979), in [0, 1]: 1 where there are two levels and nothing between them, 0 where
    all scores are equal. Entropy would say how short the action is rather than how clear its ends are.
    """
    ordered = np.sort(scores)
    count, variance = len(ordered), float(ordered.var())
    if count < 2 or not variance > 0:
        return 0.0
    low = np.arange(1, count)
    sums = np.cumsum(ordered)[:-1]
    gap = (ordered.sum() - sums) / (count - low) - sums / low
    return float(np.clip((gap**2 * low * (count - low)).max() / count**2 / variance, 0.0, 1.0))


def of_prediction(row: Prediction) -> float:
    """The value for a stored prediction; 1 where it has no tube."""
    if row.keyframes is None:
        return 1.0
    consistency = math.nan if row.evidence_consistency is None else row.evidence_consistency
    evidence = Evidence.from_bytes(
        row.evidence, chosen=row.evidence_chosen, consistency=consistency, info=row.evidence_info
    )
    return of_evidence(evidence).value


def record_missing(database: Database) -> int:
    """Give every prediction from before this was stored its uncertainty, a page at a time; returns how many."""
    computed, last = 0, 0
    while True:
        with database.write() as session:
            page = predictions.without_uncertainty(session, after=last, limit=_PAGE)
            computed += sum(_record(session, row) for row in page)
            mine = select(TaskState.task_id).where(TaskState.prediction_id.in_([row.id for row in page]))
            task_state.refresh(session, session.scalars(mine).all())
            if len(page) < _PAGE:
                return computed
            last = page[-1].id


def _record(session: Session, row: Prediction) -> bool:
    """False where the evidence cannot be read; the row stays without a value."""
    try:
        row.uncertainty = of_prediction(row)
    except (ValueError, KeyError, OSError):
        return False
    session.flush()
    return True
