"""What the page of one task is told: its video, its suggestion, every version and decision, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backend.review.compare import Comparison
from backend.review.next_frame import Doubt
from backend.review.queue import QueueRow
from backend.review.uncertainty import Uncertainty
from stvg_core.locating.said import Said


@dataclass(frozen=True)
class VideoFacts:
    """The stored video; ``warnings`` are sentences for a person."""

    id: int
    width: int
    height: int
    fps: float
    n_frames: int
    duration_s: float
    variable_rate: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class ReAttention:
    """What a learnable prompt did to the answer to one question.

    Attributes:
        before, after: log p_yes - log p_no without and with it.
        share: how much of it was used (``lra_guard`` of the settings).
    """

    branch: str
    before: float
    after: float
    share: float


@dataclass(frozen=True)
class Suggestion:
    """What the model proposed and why.

    Attributes:
        start_frame, end_frame: None where the video holds no candidate object.
        split: were the two sub-queries found in the sentence? Else both are the whole sentence; None if not known.
        spatial_question, temporal_question: as the model was asked; "" if not known.
        re_attention: one entry for each branch and direction that learnt a prompt.
        uncertainty: None where the evidence cannot be read.
        warnings: what a person must know of the look, in sentences.
        timings: seconds per stage, the total last.
        newer: version of a later suggestion for the same task, None where this is the newest.
        said: what the model was shown and said, where words decided; else None.
        check: the frames to look at first, the least sure one first.
    """

    id: int
    model_version: str
    score: float
    start_frame: int | None
    end_frame: int | None
    attribute_query: str
    action_query: str
    spatial_question: str
    temporal_question: str
    split: bool | None
    re_attention: tuple[ReAttention, ...]
    uncertainty: Uncertainty | None
    tracks: int
    warnings: tuple[str, ...]
    timings: tuple[tuple[str, float], ...]
    newer: str | None
    said: Said | None = None
    check: tuple[Doubt, ...] = ()


@dataclass(frozen=True)
class Version:
    """One saved version of an annotation.

    Attributes:
        counts: it is the one that stands for the task.
        reread_of: version whose saved state was read again, by a newer rule or with what was found in the video; None
            where Label Studio saved it.
    """

    id: int
    ls_annotation_id: int
    version: int
    author_id: int | None
    saved_at: datetime
    lead_time_s: float | None
    verdict: str | None
    change: str
    tiou: float | None
    viou: float | None
    start_shift: int | None
    end_shift: int | None
    edits: int | None
    edits_from_nothing: int | None
    problem: str | None
    counts: bool
    reread_of: int | None = None


@dataclass(frozen=True)
class Decision:
    """One row of the decisions. ``holds``: nobody took it back; ``about``: the annotation version it is about."""

    id: int
    decision: str
    reason: str | None
    comment: str
    reviewer: str
    at: datetime
    about: str
    holds: bool
    told_state: str | None
    told_reason: str | None


@dataclass(frozen=True)
class Reading:
    """How a label's tube was read from what the annotator left.

    Attributes:
        marks: sentences for a person.
        target: region, first and last frame of the box that counts, where others of the same label could; else None.
        rivals: how many others.
        looking: what a worker does for this label now, or why it could not; sentences.
        offered: a tube that was followed from a single drawn box is shown beside the label.
    """

    marks: tuple[str, ...] = ()
    target: tuple[str, int, int] | None = None
    rivals: int = 0
    looking: tuple[str, ...] = ()
    offered: bool = False


@dataclass(frozen=True)
class Item:
    """A task as its page shows it.

    Attributes:
        row: the task as the queue knows it.
        label: the version that stands for the task; decisions are about it.
        standing: the decision that holds about the present version.
        versions, decisions: newest first.
        apart: who stands apart from the others, by Label Studio's numbers.
        reading: how the label's tube was read from the annotation.
        compared: the suggestions of two model versions beside each other; None where there are not two.
    """

    row: QueueRow
    video: VideoFacts | None
    warning: str | None
    suggestion: Suggestion | None
    label: Version | None
    standing: Decision | None
    versions: tuple[Version, ...]
    decisions: tuple[Decision, ...]
    apart: tuple[int, ...] = ()
    reading: Reading | None = None
    compared: Comparison | None = None

    @property
    def seen(self) -> int | None:
        """What a decision made on this page is about."""
        return None if self.label is None else self.label.id

    @property
    def decidable(self) -> bool:
        """Is there anything to judge?"""
        return self.label is not None or self.suggestion is not None
