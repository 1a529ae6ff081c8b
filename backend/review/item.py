"""What does the page of one task show? Its facts, gathered from the database (``backend.review.facts`` says which).

The boxes and curves that are drawn come apart from this, in ``backend.review.overlays``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from backend.db import annotations as versions
from backend.db import deliveries, predictions
from backend.db.reviews import UNDONE, in_force
from backend.db.tables import Annotation, Delivery, Diff, Prediction, Review, Task
from backend.review import compare, decisions, opinions, queue, recording
from backend.review.facts import Decision, Item, ReAttention, Suggestion, Version, VideoFacts
from backend.review.next_frame import doubts
from backend.review.suggestion import read_evidence, tube_of
from backend.review.tube_facts import reading_of
from backend.review.uncertainty import of_evidence
from stvg_core.tube import look_warnings

BRANCHES = ("Which object", "What it does")


def look(
    session: Session, task_id: int, versions_compared: tuple[str | None, str | None] = (None, None)
) -> Item | None:
    """The task with this row, None where there is none.

    Args:
        versions_compared: which two model versions to compare; None for the newest.
    """
    task = session.get(Task, task_id)
    row = queue.row_of(session, task_id)
    if task is None or row is None:
        return None
    label = versions.present(session, task_id)
    every = _versions(session, task_id, label)
    history, standing = decisions.history(session, task_id), decisions.standing(session, task_id)
    telling = deliveries.decision_of(session, task_id)
    said = tuple(_decision(row, history, every, telling if row is history[-1] else None) for row in reversed(history))
    return Item(
        row=row,
        video=_video(task, label),
        warning=task.warning,
        suggestion=_suggestion(session, task_id, label),
        label=next((version for version in every if version.counts), None),
        standing=next((one for one in said if standing is not None and one.id == standing.id), None),
        versions=every,
        decisions=said,
        apart=_apart(session, task_id),
        reading=None if label is None else reading_of(session, label),
        compared=compare.look(session, task_id, *versions_compared),
    )


def _apart(session: Session, task_id: int) -> tuple[int, ...]:
    """People whose tube is another than the one that the others share."""
    agreed = [entry.agreement for entry in opinions.of_tasks(session, task_ids=[task_id])]
    authors = [found.opinions[index].author_id for found in agreed for index in found.outliers]
    return tuple(author for author in authors if author is not None)


def suggestion_of(session: Session, task_id: int, label: Annotation | None) -> Prediction | None:
    """The prediction that the label came from, else the newest one of the task."""
    if label is not None and label.prediction is not None:
        return label.prediction
    return predictions.newest(session, task_id)


_OUTDATED = (
    "Another file lies at the video's address since this was saved, so it is not exported. Where it still fits, save "
    "it again in Label Studio."
)


def _video(task: Task, label: Annotation | None) -> VideoFacts | None:
    row = task.video
    if row is None and label is not None and label.prediction is not None:
        row = label.prediction.video
    if row is None:
        return None
    said = tuple(str(sentence) for sentence in row.warnings)
    return VideoFacts(
        row.id, row.width, row.height, row.fps, row.n_frames, row.duration_s, row.variable_rate, said
    )  # fmt: skip


def _suggestion(session: Session, task_id: int, label: Annotation | None) -> Suggestion | None:
    row = suggestion_of(session, task_id, label)
    if row is None:
        return None
    newest, evidence, info = predictions.newest(session, task_id), read_evidence(row), row.evidence_info
    seconds = {str(name): float(value) for name, value in row.timings.items() if isinstance(value, int | float)}
    return Suggestion(
        id=row.id,
        model_version=row.model_version,
        score=row.score,
        start_frame=row.start_frame,
        end_frame=row.end_frame,
        attribute_query=row.attribute_query,
        action_query=row.action_query,
        spatial_question=str(info.get("spatial_question") or ""),
        temporal_question=str(info.get("temporal_question") or ""),
        split=info["split"] if isinstance(info.get("split"), bool) else None,
        re_attention=_re_attention(info),
        uncertainty=None if evidence is None else of_evidence(evidence),
        tracks=0 if evidence is None else len(evidence.track_scores),
        warnings=() if evidence is None else tuple(look_warnings(info, len(evidence.track_scores))),
        timings=tuple(sorted(seconds.items(), key=lambda entry: (entry[0] == "total", -entry[1]))),
        newer=newest.model_version if newest is not None and newest.id > row.id else None,
        said=None if evidence is None else evidence.said,
        check=doubts(tube_of(row), evidence),
    )


def _re_attention(info: Mapping[str, Any]) -> tuple[ReAttention, ...]:
    """Empty where nothing was learnt, and of evidence from before it was kept."""
    found = []
    for suffix, way in (("", ""), ("_reversed", ", reversed video")):
        lists = (info.get(f"{name}{suffix}") or () for name in ("yes_minus_no", "yes_minus_no_after", "v_share"))
        for branch, (before, after, share) in zip(BRANCHES, zip(*lists, strict=False), strict=False):
            if share is not None:  # the branch learnt one
                found.append(ReAttention(branch + way, float(before), float(after), float(share)))
    return tuple(found)


def _versions(session: Session, task_id: int, label: Annotation | None) -> tuple[Version, ...]:
    query = (
        select(Annotation, Diff)
        .outerjoin(Diff, (Diff.annotation_id == Annotation.id) & (Diff.object == 0))
        .options(joinedload(Annotation.prediction), joinedload(Annotation.task))
        .where(Annotation.task_id == task_id)
    )
    rows = sorted(session.execute(query).tuples(), key=lambda pair: (versions.moment(pair[0]), pair[0].id))
    known = [row for row, _ in rows]
    mine = None if label is None else label.id
    return tuple(_version(row, found, known, counts=row.id == mine) for row, found in reversed(rows))


def _version(row: Annotation, stored: Diff | None, known: Sequence[Annotation], *, counts: bool) -> Version:
    found: Any = stored or recording.of_annotation(row)
    overlap = getattr(found, "overlap", None) or found
    return Version(
        id=row.id,
        ls_annotation_id=row.ls_annotation_id,
        version=row.version,
        author_id=row.author_id,
        saved_at=row.ls_updated_at or row.received_at,
        lead_time_s=row.lead_time_s,
        verdict=row.verdict,
        change=found.change,
        tiou=getattr(overlap, "tiou", None),
        viou=getattr(overlap, "viou", None),
        start_shift=found.start_shift,
        end_shift=found.end_shift,
        edits=found.edits,
        edits_from_nothing=found.edits_from_nothing,
        problem=row.problem or (_OUTDATED if row.outdated else None),
        counts=counts,
        reread_of=next((one.version for one in known if one.id == row.reread_of), None),
    )


def _decision(row: Review, history: Sequence[Review], known: Sequence[Version], telling: Delivery | None) -> Decision:
    about = next((f"annotation {v.ls_annotation_id}, version {v.version}" for v in known if v.id == row.annotation_id),
                 "the suggestion")  # fmt: skip
    return Decision(
        id=row.id,
        decision=row.decision,
        reason=row.reason,
        comment=row.comment,
        reviewer=row.reviewer,
        at=row.created_at,
        about=about,
        holds=row.decision != UNDONE and row in in_force(history),
        told_state=None if telling is None else telling.state,
        told_reason=None if telling is None else telling.reason,
    )
