"""What does the export form ask for, and how does it leave as one zip file?"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO

from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from backend.export.datasheet import NO_REASONS
from backend.export.errors import ExportError
from backend.export.formats import FORMATS, Format, with_predictions
from backend.export.run import export
from backend.export.selection import Selection
from backend.export.split import Split, parse_split

PREDICTIONS = "labelstudio-predictions"
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
        return choices()[self.kind]

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
    annotators = frozenset(_number(text, "annotator") for text in form.getlist("annotator"))
    since, until = _day(form.get("since", ""), "From"), _day(form.get("until", ""), "To")
    if since is not None and until is not None and until < since:
        raise ExportError("The last day is before the first.")
    project, shares = form.get("project", "").strip(), form.get("split", "").strip()
    return Wanted(
        kind,
        _number(project, "project") if project else None,
        Selection(annotators, since, until, accepted_only=bool(form.get("accepted_only"))),
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
        out = Path(folder) / f"labels{'' if wanted.form.folder else _SUFFIXES.get(wanted.form.name, '.json')}"
        outcome = export(
            session, wanted.form, out, project_id=wanted.project_id, selection=wanted.selection, split=wanted.split
        )
        if not outcome.counts["exported"]:
            reasons = [f"{n} {why}" for why, n in sorted(outcome.counts.items()) if n and why not in NO_REASONS]
            raise ExportError(f"No label fits.{' Left out: ' + '; '.join(reasons) + '.' if reasons else ''}")
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


def _day(text: str, field: str) -> date | None:
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise ExportError(f'{field}: "{text}" is no day. Write it as 2026-01-31.') from None
