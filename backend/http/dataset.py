"""What does the export form ask for, and how does it leave as one zip file?"""

from __future__ import annotations

import math
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO

from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from backend.export.datasheet import left_out
from backend.export.errors import ExportError
from backend.export.exporting import export
from backend.export.formats import FORMATS, Format, with_predictions
from backend.export.selection import Selection
from backend.export.split import Split, parse_split

PREDICTIONS = "labelstudio-predictions"
LABELS, ACCEPTED, SUGGESTIONS = "labels", "accepted", "suggestions"
WHAT = {
    LABELS: "All labels",
    ACCEPTED: "Accepted labels only",
    SUGGESTIONS: "Suggestions that nobody has looked at, marked as no ground truth",
}
"""What may leave, by the form's values."""

_SUFFIXES = {"csv": ".csv", "parquet": ".parquet"}


def choices() -> Mapping[str, Format]:
    """The formats by the form's values: those of the command line, and Label Studio's with predictions."""
    found = dict(FORMATS)
    found[PREDICTIONS] = with_predictions(FORMATS["labelstudio"])
    return found


@dataclass(frozen=True)
class Wanted:
    """A filled form. ``kind`` is one of :func:`choices`."""

    kind: str
    project_id: int | None
    selection: Selection
    split: Split | None

    @property
    def form(self) -> Format:
        """A suggestion that nobody has looked at is never an annotation for Label Studio."""
        return choices()[PREDICTIONS if self.kind == "labelstudio" and self.selection.suggestions else self.kind]

    @property
    def name(self) -> str:
        """Of the file or folder in the zip file, without its ending."""
        return "suggestions" if self.selection.suggestions else "labels"

    def sentences(self) -> list[str]:
        """The filters in words."""
        said = [] if self.project_id is None else [f"project {self.project_id}"]
        said += self.selection.sentences()
        if self.split is not None:
            said.append("split " + ",".join(f"{name}={share:g}" for name, share in self.split.shares))
        return said


def read_form(form: MultiDict[str, str]) -> Wanted:
    """The form's values; :class:`ExportError` naming the field that cannot be used."""
    kind = form.get("format", "")
    if kind not in choices():
        raise ExportError("Choose a format.")
    what = form.get("what", LABELS)
    if "accepted_only" in form:  # a page that was opened before the form changed: it must not give all labels
        raise ExportError("This form has changed since you opened it. Look at your choices and export again.")
    if what not in WHAT:
        raise ExportError("Choose what is exported: labels or suggestions.")
    annotators = frozenset(_number(text, "annotator") for text in form.getlist("annotator"))
    score = form.get("min_score", "").strip()
    if what == SUGGESTIONS and annotators:
        raise ExportError("What nobody has looked at is by no annotator: choose no annotators, or labels.")
    if what != SUGGESTIONS and score:
        raise ExportError("Labels that people made have no score: leave the lowest score empty, or choose suggestions.")
    since, until = _day(form.get("since", ""), "From"), _day(form.get("until", ""), "To")
    if since is not None and until is not None and until < since:
        raise ExportError("The last day is before the first.")
    project, shares = form.get("project", "").strip(), form.get("split", "").strip()
    return Wanted(
        kind,
        _project(project) if project else None,
        Selection(
            annotators,
            since,
            until,
            accepted_only=what == ACCEPTED,
            suggestions=what == SUGGESTIONS,
            min_score=_share(score) if score else None,
        ),
        parse_split(shares) if shares else None,
    )


@dataclass(frozen=True)
class Packed:
    """A finished export. ``file`` has no name on the disk and is gone when it is closed."""

    file: IO[bytes]
    size: int
    labels: int


def pack(session: Session, wanted: Wanted) -> Packed:
    """Export into a folder that is gone afterwards, and put what is there into a zip file.

    Raises:
        ExportError: no label fits, or the format needs a package that is not installed.
        OSError: the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="stvg-export-") as folder:
        out = Path(folder) / f"{wanted.name}{'' if wanted.form.folder else _SUFFIXES.get(wanted.form.name, '.json')}"
        outcome = export(
            session, wanted.form, out, project_id=wanted.project_id, selection=wanted.selection, split=wanted.split
        )
        if not outcome.counts["exported"]:
            reasons = "; ".join(f"{number} {why}" for why, number in left_out(outcome.counts))
            what = "suggestion" if wanted.selection.suggestions else "label"
            raise ExportError(f"No {what} fits.{f' Left out: {reasons}.' if reasons else ''}")
        file = tempfile.TemporaryFile(prefix="stvg-export-")  # noqa: SIM115 (closed when it has been sent)
        try:
            size = _zip(Path(folder), file)
        except BaseException:
            file.close()
            raise
    return Packed(file, size, outcome.counts["exported"])


def _zip(folder: Path, file: IO[bytes]) -> int:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder).as_posix())
    size = file.tell()
    file.seek(0)
    return size


def _number(text: str, field: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ExportError(f'"{text}" is no number of a{"n" if field[0] in "aeiou" else ""} {field}.')
    return int(text)


def _project(text: str) -> int:
    """Local projects have negative numbers."""
    return -_number(text[1:], "project") if text.startswith("-") else _number(text, "project")


def _share(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 <= found <= 1:
        raise ExportError(f'Lowest score: "{text}" is no number from 0 to 1.')
    return found


def _day(text: str, field: str) -> date | None:
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise ExportError(f'{field}: "{text}" is no day. Write it as 2026-01-31.') from None
