"""Which of the labels leave? By person, day and acceptance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date

from backend.db.reviews import ACCEPTED
from backend.export.errors import ExportError
from backend.export.record import Record


@dataclass(frozen=True)
class Selection:
    """What an export is asked for; everything by default.

    Attributes:
        annotators: only these people's annotations (Label Studio's numbers); of a task that several labelled, theirs
            counts even where another person's is newer.
        since, until: only labels that were saved on these days or between them (UTC, both included). An older version
            of a label that was changed later does not come back.
        accepted_only: only labels for which :func:`is_accepted` holds.
        suggestions: instead of the labels, the suggestions that nobody has looked at.
        min_score: of those, only the ones with this score or more.

    Raises:
        ExportError: options that exclude each other.
    """

    annotators: frozenset[int] = frozenset()
    since: date | None = None
    until: date | None = None
    accepted_only: bool = False
    suggestions: bool = False
    min_score: float | None = None

    def __post_init__(self) -> None:
        if self.suggestions and self.accepted_only:
            raise ExportError("What nobody has looked at was accepted by nobody: --suggestions or --accepted-only.")
        if self.suggestions and self.annotators:
            raise ExportError("What nobody has looked at is by no annotator: --suggestions or --annotator.")
        if self.min_score is not None and not self.suggestions:
            raise ExportError("--min-score is for --suggestions: labels that people made have no score.")
        if self.min_score is not None and not 0 <= self.min_score <= 1:
            raise ExportError("--min-score is a number from 0 to 1.")

    def objection(self, record: Record) -> str | None:
        """Why the record stays behind, None where it leaves."""
        day = record.moment.astimezone(UTC).date()
        if (self.since is not None and day < self.since) or (self.until is not None and day > self.until):
            return "outside the dates"
        if self.accepted_only and not is_accepted(record):
            return "not accepted"
        if self.min_score is not None and not (record.score is not None and record.score >= self.min_score):
            return "score below the one asked for"
        return None

    def sentences(self) -> list[str]:
        """The filters in words, for the datasheet."""
        said = []
        saved = "suggested" if self.suggestions else "saved"
        if self.suggestions:
            said.append("suggestions that nobody has looked at: no annotation, no decision by a reviewer")
        if self.min_score is not None:
            said.append(f"score {self.min_score:g} or more")
        if self.annotators:
            said.append("annotators " + ", ".join(str(number) for number in sorted(self.annotators)))
        if self.since:
            said.append(f"{saved} on {self.since.isoformat()} or later")
        if self.until:
            said.append(f"{saved} on {self.until.isoformat()} or earlier")
        if self.accepted_only:
            said.append(
                "accepted only: by the reviewer's decision about the exported version; where nobody decided, from a "
                "proposal, taken as it was or corrected, not judged wrong and not marked to be looked at"
            )
        return said


def is_accepted(record: Record) -> bool:
    """What a reviewer decided about this version; else a proposal that a person took, with a good word or none.

    Without a decision, a tube drawn from nothing counts as unseen by a second pair of eyes, and a proposal judged wrong
    and corrected as unsettled; so does one that a person should look at for how it was read.
    """
    if record.decision is not None:
        return record.decision == ACCEPTED
    return record.origin in ("accepted", "corrected") and not record.judged_wrong and not record.marks
