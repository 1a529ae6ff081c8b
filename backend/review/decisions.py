"""What did a reviewer decide about a task's label, and does it still hold?

A decision is about one annotation version, or about the suggestion where nobody annotated yet. A newer version is
nobody's: the task waits for review again. Nothing is overwritten; taking a decision back is a row of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from backend.db import annotations as versions
from backend.db import predictions, reviews, task_state
from backend.db.reviews import ACCEPTED, REJECTED, SENT_BACK, SENT_ON, UNDONE
from backend.db.tables import Annotation, Prediction, Review
from backend.db.types import plain
from stvg_core.errors import StvgError

__all__ = [
    "ACCEPTED", "REASONS", "REJECTED", "SENT_BACK", "SENT_ON", "DecisionError", "decide", "history", "standing", "undo",
]  # fmt: skip

DECISIONS = (ACCEPTED, REJECTED, SENT_BACK, SENT_ON)
"""Three of them refuse a label: no rework, back to the same annotator, to somebody else."""
REASONS = ("wrong object", "wrong start or end", "boxes loose", "object absent", "sentence unclear", "other")
"""Why a label is rejected or sent back."""

LONGEST_COMMENT = 2000


class DecisionError(StvgError):
    """The decision cannot be stored; the message says why and what to do."""


def decide(
    session: Session,
    task_id: int,
    decision: str,
    *,
    reason: str | None = None,
    comment: str = "",
    reviewer: str,
    account_id: int | None = None,
    seen: int | None,
) -> Review:
    """Store a decision about what was on the screen.

    Args:
        task_id: row of our task.
        reason: one of ``REASONS``; needed to reject or send back, of no meaning for an acceptance.
        seen: row of the annotation version that was looked at, None where there was none.

    Raises:
        DecisionError: the label changed meanwhile, there is nothing to decide, or something is missing.
    """
    if decision not in DECISIONS:
        raise DecisionError(f"A decision is one of: {', '.join(DECISIONS)}.")
    comment = plain(comment).strip()
    reason = None if decision == ACCEPTED else _checked_reason(decision, reason, comment)
    if len(comment) > LONGEST_COMMENT:
        raise DecisionError(f"The comment has {len(comment)} characters. Shorten it to {LONGEST_COMMENT}.")
    if reviews.lock_task(session, task_id) is None:
        raise DecisionError("There is no such task.")
    label, suggestion = subject(session, task_id)
    if seen != (None if label is None else label.id):
        raise DecisionError("The label was changed meanwhile. Look at the new version first, then decide.")
    if label is None and suggestion is None:
        raise DecisionError("There is nothing to decide: the task has neither a suggestion nor an annotation.")
    return reviews.add(
        session,
        task_id=task_id,
        annotation_id=None if label is None else label.id,
        prediction_id=None if suggestion is None else suggestion.id,
        decision=decision,
        reason=reason,
        comment=comment,
        account_id=account_id,
        reviewer=reviewer,
    )


def undo(session: Session, task_id: int, *, reviewer: str, account_id: int | None = None) -> Review:
    """Take back the decision that stands; what stood before it (about the same version) stands again.

    Raises:
        DecisionError: there is none.
    """
    if reviews.lock_task(session, task_id) is None:
        raise DecisionError("There is no such task.")
    last = standing(session, task_id)
    if last is None:
        raise DecisionError("There is nothing to undo: no decision stands about the present version.")
    return reviews.add(
        session,
        task_id=task_id,
        annotation_id=last.annotation_id,
        prediction_id=last.prediction_id,
        decision=UNDONE,
        undoes_id=last.id,
        account_id=account_id,
        reviewer=reviewer,
    )


def history(session: Session, task_id: int) -> Sequence[Review]:
    """All decisions about a task, oldest first; what was taken back is in it, and so is the taking back."""
    return reviews.history(session, task_id)


def standing(session: Session, task_id: int) -> Review | None:
    """The newest decision about the present version that nobody took back."""
    state = task_state.of_task(session, task_id)
    return None if state is None or state.review_id is None else session.get(Review, state.review_id)


def subject(session: Session, task_id: int) -> tuple[Annotation | None, Prediction | None]:
    """What there is to judge: the version that stands for the task, and its newest suggestion."""
    return versions.present(session, task_id), predictions.newest(session, task_id)


def _checked_reason(decision: str, reason: str | None, comment: str) -> str:
    doing = "reject" if decision == REJECTED else "send back" if decision == SENT_BACK else "send to another"
    if not reason:
        raise DecisionError(f"To {doing}, choose a reason first.")
    if reason not in REASONS:
        raise DecisionError(f"The reason is one of: {', '.join(REASONS)}.")
    if reason == "other" and not comment:
        raise DecisionError('The reason "other" needs a comment that says what is wrong.')
    return reason
