"""What is in a dataset? Counts, versions, people, dates and agreement, for whoever finds the files later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from backend.annotations.marks import MARKS
from backend.export.formats import Format
from backend.export.record import Record, VideoLabels
from backend.review.opinions import AgreementSummary
from stvg_core.datasets.review_marks import MARK
from stvg_core.notice import notice_of_some

ORIGINS = {
    "accepted": "the proposal as it was",
    "corrected": "the proposal, changed by a person",
    "drawn": "drawn by a person without a proposal",
    "suggested": "the proposal, accepted by a reviewer before anybody annotated",
}
UNREVIEWED = {MARK: "the proposal; nobody has looked at it, so it is no label"}
_NOT_REVIEWED = (
    "**Not ground truth.** These are a model's suggestions that no person has looked at. Correct or accept them before "
    f'you train or measure by them. Where the format has a place for it, each says "{MARK}".'
)
NO_REASONS = ("exported", *MARKS, *ORIGINS, *UNREVIEWED)
"""Counted by :func:`backend.export.records.records`, but no reason to leave a task out."""


@dataclass
class Tally:
    """What was written so far."""

    videos: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    people: Counter[str] = field(default_factory=Counter)
    frames: int = 0
    first: datetime | None = None
    last: datetime | None = None

    def add(self, labels: VideoLabels, part: str) -> None:
        self.videos[part] += 1
        self.labels[part] += len(labels.records)
        for record in labels.records:
            self.models[record.model_version or "none (drawn by a person)"] += 1
            self.people[_person(record)] += 1
            self.frames += len(record.drawn_frames())
            self.first = min(self.first or record.moment, record.moment)
            self.last = max(self.last or record.moment, record.moment)


def datasheet(
    form: Format,
    tally: Tally,
    counts: Counter[str],
    agreement: AgreementSummary,
    *,
    filters: Sequence[str],
    shares: Sequence[tuple[str, float]] = (),
    suggestions: bool = False,
    made: datetime | None = None,
) -> str:
    """The datasheet as Markdown.

    Args:
        counts: as :func:`backend.export.records.records` leaves them.
        filters: what was asked for, in words.
        shares: the split's parts, empty without a split.
        suggestions: the dataset holds suggestions that nobody has looked at, and nothing else.
    """
    sections = [
        f"# Datasheet\n\n{form.title}, written {(made or datetime.now(UTC)):%Y-%m-%d %H:%M} UTC.",
        *([_NOT_REVIEWED] if suggestions else []),
        _list("Filters", [*filters] or ["none: every label that counts"]),
        _contents(tally),
        _table("Labels by origin", ("origin", "labels", "meaning"), _origins(counts, suggestions)),
        _table("Tasks left out", ("reason", "tasks"), left_out(counts)),
        _table("Labels to look at", ("labels", "what a person should know"), _marked(counts)),
    ]
    if shares:
        parts = [(name, f"{share:g}", tally.labels[name], tally.videos[name]) for name, share in shares]
        sections.append(_table("Split by video content", ("part", "share asked for", "labels", "videos"), parts))
    sections += [
        _table("Proposals came from", ("model version", "labels"), sorted(tally.models.items())) + _of_demo(tally),
        _table("Annotators (numbers in Label Studio)", ("annotator", "labels"), sorted(tally.people.items())),
        f"## Agreement\n\n{_agreement(agreement)}",
        _list("The format", form.notes),
    ]
    return "\n\n".join(sections) + "\n"


def _contents(tally: Tally) -> str:
    lines = [
        f"{sum(tally.labels.values())} labels on {sum(tally.videos.values())} videos, {tally.frames} frames with a box"
    ]
    if tally.first and tally.last:
        lines.append(f"saved from {tally.first:%Y-%m-%d} to {tally.last:%Y-%m-%d} (UTC)")
    return _list("Contents", lines)


def _origins(counts: Counter[str], suggestions: bool) -> Iterator[tuple[object, ...]]:
    return ((name, counts[name], meaning) for name, meaning in (UNREVIEWED if suggestions else ORIGINS).items())


def _person(record: Record) -> str:
    if record.annotation_id is None:
        return "nobody (not reviewed)" if record.unreviewed else "nobody (an accepted suggestion)"
    return "unknown" if record.author_id is None else str(record.author_id)


def _of_demo(tally: Tally) -> str:
    said = notice_of_some(tally.models, "labels began as proposals")
    return f"\n\n{said}." if said else ""


def left_out(counts: Counter[str]) -> list[tuple[str, int]]:
    """Why tasks stayed behind, and how many; in order of the reasons."""
    return [(reason, number) for reason, number in sorted(counts.items()) if reason not in NO_REASONS and number]


def _marked(counts: Counter[str]) -> list[tuple[object, ...]]:
    """The same on the task's page."""
    return [(counts[kind], meaning) for kind, meaning in MARKS.items() if counts[kind]]


def _agreement(agreement: AgreementSummary) -> str:
    if agreement.mean is None or agreement.lowest is None:
        return "On no exported task have two people spoken."
    return (
        f"Mean pairwise vIoU {agreement.mean:.3f} over {agreement.tasks} tasks on which several people have spoken "
        f"({agreement.pairs} pairs; lowest task {agreement.lowest:.3f}). "
        "Of such a task the label that was saved last is in the dataset."
    )


def _list(title: str, lines: Iterable[str]) -> str:
    return f"## {title}\n\n" + "\n".join(f"- {line}" for line in lines)


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [_row(head), _row(["---"] * len(head)), *map(_row, rows)]
    return f"## {title}\n\n" + ("\n".join(lines) if len(lines) > 2 else "None.")


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(" ".join(str(cell).split()).replace("|", "\\|") for cell in cells) + " |"
