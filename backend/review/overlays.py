"""What is drawn on the page of one task? Tubes, curves and maps as plain JSON for its scripts.

Tubes go as keyframes, ``[frame, x1, y1, x2, y2]`` in shares of the picture, linear in between and shown inside their
intervals only. Maps are flattened rows of 0..255, each kind scaled by its own largest value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from backend.db import annotations as versions
from backend.db import diffs
from backend.db.tables import Annotation, Diff, Prediction, Task
from backend.review import compare, difference_frames, opinions, recording
from backend.review.diff import unpack
from backend.review.drawn_tube import Drawn
from backend.review.item import suggestion_of
from backend.review.suggestion import read_evidence, tube_of
from backend.review.tube_facts import offered
from stvg_core.keyframes import simplify
from stvg_core.method.evidence import Evidence
from stvg_core.method.tracks import decided_by
from stvg_core.tube import Array

SUGGESTION, CORRECTION, CONSENSUS, OTHER, OBJECT = "suggestion", "correction", "consensus", "other", "object"
OFFERED = "offered"
VERSIONS = {"A": "version-a", "B": "version-b"}

_DIGITS = 4
_SHAPE_KEPT = 0.99


def look(
    session: Session,
    task_id: int,
    versions_compared: tuple[str | None, str | None] = (None, None),
    names: Mapping[int, str] | None = None,
) -> dict[str, Any] | None:
    """All that the page draws over and below the video; None where there is no such task.

    ``tubes``: what can be shown over the video, by kind; ``iou``: frame by frame, null where none of the two is shown;
    ``scores``: of every track in every sampled frame; ``maps``: what the model looked at; ``times``: when each frame of
    a variable-rate video is shown, in seconds from the first; null for an even rate, and where they are not known;
    ``apart``: the frames on which answers differ, ``[first, last, kind]``, by whose they are.

    Args:
        versions_compared: which two model versions to compare; None for the newest.
        names: what annotators are called; others go by their numbers.
    """
    task = session.get(Task, task_id)
    if task is None:
        return None
    label = versions.present(session, task_id)
    suggestion = suggestion_of(session, task_id, label)
    evidence = None if suggestion is None else read_evidence(suggestion)
    diff = None if label is None else diffs.find(session, label.id)
    pair = compare.drawn_pair(session, task_id, *versions_compared)
    agreed = list(opinions.of_tasks(session, task_ids=[task_id]))
    return {
        "tubes": [
            *_suggested(suggestion),
            *_corrected(label),
            *_offered(session, label),
            *_others(agreed, label, names or {}),
            *(tube for letter, row in pair for tube in _of_version(letter, row)),
        ],
        "apart": [*_corrected_apart(suggestion, label), *_people_apart(agreed), *_versions_apart(pair)],
        "iou": _ious(label, diff),
        "scores": None if evidence is None else _scores(evidence),
        "maps": None if evidence is None else _maps(evidence),
        "times": _times(task, suggestion),
    }


def _times(task: Task, suggestion: Prediction | None) -> list[float] | None:
    video = task.video or (None if suggestion is None else suggestion.video)
    times = None if video is None else video.times()
    return None if times is None else [float(second) for second in times.round(_DIGITS)]


def _suggested(row: Prediction | None) -> list[dict[str, Any]]:
    if row is None or not row.keyframes:
        return []
    span = [[int(row.keyframes[0][0]), int(row.keyframes[-1][0])]]
    return [_tube("suggestion", SUGGESTION, "Suggestion", span, row.keyframes)]


def _corrected(row: Annotation | None) -> list[dict[str, Any]]:
    """The region that answers the sentence, and further objects of the same annotation."""
    if row is None or row.deleted or row.was_cancelled:
        return []
    answer = recording.answer(row)
    found = [] if answer is None else [_of_drawn("correction", CORRECTION, "Correction", answer)]
    rest = [entry for entry in row.tubes if entry.get("keyframes") and not _is(answer, entry)]
    for number, entry in enumerate(rest, 1):
        name = entry.get("sentence") or entry.get("label") or "without a label"
        found.append(_tube(f"object-{number}", OBJECT, f"Object: {name}", _intervals(entry), entry["keyframes"]))
    return found


def _offered(session: Session, label: Annotation | None) -> list[dict[str, Any]]:
    """What was followed from boxes that the annotator drew alone: only shown, in nobody's annotation."""
    found = []
    for number, row in enumerate([] if label is None else offered(session, label), 1):
        rows = row.keyframes or []
        span = [[int(rows[0][0]), int(rows[-1][0])]]
        found.append(_tube(f"offered-{number}", OFFERED, "Followed from the drawn box", span, rows))
    return found


def _is(answer: Drawn | None, entry: Mapping[str, Any]) -> bool:
    """Is this stored region the answer? By its name, and by its boxes where it has none."""
    if answer is None:
        return False
    if answer.region_id or entry.get("region_id"):
        return answer.region_id == str(entry.get("region_id") or "")
    return [list(interval) for interval in answer.intervals] == _intervals(entry)


def _others(
    agreed: Sequence[opinions.TaskAgreement], label: Annotation | None, names: Mapping[int, str]
) -> list[dict[str, Any]]:
    """What the others drew, and what most of them share, where two or more people annotated the task."""
    found = []
    for entry in agreed:
        common = entry.agreement.consensus
        if common is not None:
            found.append(_of_drawn("consensus", CONSENSUS, "Consensus", common))
        for opinion in entry.agreement.opinions:
            mine = label is not None and opinion.annotation_id == label.ls_annotation_id
            if opinion.drawn is not None and not mine:
                author = opinion.author_id
                title = f"annotation {opinion.annotation_id}" if author is None else f"Annotator {author}"
                title = title if author is None else names.get(author, title)
                found.append(_of_drawn(f"other-{opinion.annotation_id}", OTHER, title, opinion.drawn))
    return found


def _of_version(letter: str, row: Prediction) -> list[dict[str, Any]]:
    """One of the two suggestions that are compared."""
    if not row.keyframes:
        return []
    span = [[int(row.keyframes[0][0]), int(row.keyframes[-1][0])]]
    name = VERSIONS[letter]
    return [_tube(name, name, f"{letter}: {row.model_version}", span, row.keyframes)]


def _corrected_apart(row: Prediction | None, label: Annotation | None) -> list[dict[str, Any]]:
    """Where the correction leaves the suggestion; nothing where one of the two does not say anything."""
    if row is None or label is None or label.deleted or label.was_cancelled:
        return []
    tube, answer = tube_of(row), recording.answer(label)
    return [] if tube is None or answer is None else _apart("correction", [Drawn.whole(tube), answer])


def _people_apart(agreed: Sequence[opinions.TaskAgreement]) -> list[dict[str, Any]]:
    return [
        one for entry in agreed for one in _apart("annotators", [said.drawn for said in entry.agreement.opinions])
    ]  # fmt: skip


def _versions_apart(pair: Sequence[tuple[str, Prediction]]) -> list[dict[str, Any]]:
    tubes = [tube_of(row) for _, row in pair]
    return _apart("versions", [None if tube is None else Drawn.whole(tube) for tube in tubes])


def _apart(whose: str, answers: Sequence[Drawn | None]) -> list[dict[str, Any]]:
    found = [[one.first, one.last, one.kind] for one in difference_frames.stretches(answers)]
    return [{"whose": whose, "stretches": found}] if found else []


def _of_drawn(name: str, kind: str, title: str, drawn: Drawn) -> dict[str, Any]:
    rows = [[key.frame, *map(float, key.box)] for key in simplify(drawn.tube, _SHAPE_KEPT)]
    return _tube(name, kind, title, [list(interval) for interval in drawn.intervals], rows)


def _tube(
    name: str, kind: str, title: str, intervals: Sequence[Sequence[int]], rows: Sequence[Sequence[float]]
) -> dict[str, Any]:
    keyframes = [[int(row[0]), *(round(float(v), _DIGITS + 1) for v in row[1:5])] for row in rows]
    return {"name": name, "kind": kind, "title": title, "intervals": intervals, "keyframes": keyframes}


def _intervals(entry: Mapping[str, Any]) -> list[list[int]]:
    rows = entry["keyframes"]
    return [[int(a), int(b)] for a, b in entry.get("intervals") or [[rows[0][0], rows[-1][0]]]]


def _ious(label: Annotation | None, stored: Diff | None) -> dict[str, Any] | None:
    if stored is not None and stored.frame_ious is not None and stored.first_frame is not None:
        return {"first_frame": stored.first_frame, "values": _numbers(unpack(stored.frame_ious))}
    both = None if label is None or stored is not None else recording.of_annotation(label).overlap
    return None if both is None else {"first_frame": both.first_frame, "values": _numbers(both.frame_ious)}


def _scores(evidence: Evidence) -> dict[str, Any]:
    """One entry per track; ``boxes`` and ``frames`` by sampled frame, a box null where the track is absent.

    ``score`` is S_obj, ``proposer`` the proposer's confidence, ``choice`` what the choice went by (the highest was
    chosen): S_obj times that confidence to the power ``weight``. Null where the evidence does not hold it. ``words``: a
    model named the track, so its score is 1 and that of the others is 0.
    """
    decided, sure = decided_by(evidence), evidence.proposer_scores
    tracks = [
        {
            "score": _number(evidence.track_scores[i]),
            "choice": None if decided is None else _number(decided[0][i]),
            "proposer": _number(sure[i]) if len(sure) else None,
            "forward": _number(evidence.track_scores_forward[i]),
            "reversed": _number(evidence.track_scores_reversed[i]),
            "frames": _numbers(evidence.frame_scores[i]),
            "boxes": [_numbers(box) if np.isfinite(box).all() else None for box in evidence.track_boxes[i]],
        }
        for i in range(len(evidence.track_scores))
    ]
    weight = None if decided is None else decided[1]
    return {
        "slots": evidence.slot_frames.tolist(), "chosen": int(evidence.chosen), "weight": weight, "tracks": tracks,
        "words": evidence.said is not None,
    }  # fmt: skip


def _maps(evidence: Evidence) -> dict[str, Any] | None:
    spatial, temporal = np.asarray(evidence.spatial_map), np.asarray(evidence.temporal_map)
    if spatial.ndim != 3 or spatial.size == 0 or temporal.shape != spatial.shape:
        return None
    _, height, width = spatial.shape
    return {"height": height, "width": width, "spatial": _shades(spatial), "temporal": _shades(temporal)}


def _shades(maps: Array) -> list[list[int]]:
    """``(T, h, w)`` -> T flat lists of 0..255, 255 the largest of all."""
    values = np.nan_to_num(maps.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0).clip(0)
    top = float(values.max()) or 1.0
    shades: list[list[int]] = np.rint(values / top * 255).astype(np.uint8).reshape(len(maps), -1).tolist()
    return shades


def _number(value: Any) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def _numbers(values: Array) -> list[float | None]:
    return [None if not np.isfinite(v) else round(float(v), _DIGITS) for v in values]
