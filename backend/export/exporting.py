"""An export from beginning to end: one look at the database, every part of the split, the datasheet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from sqlalchemy.orm import Session

from backend.export import open_tasks
from backend.export.datasheet import Tally, datasheet
from backend.export.errors import ExportError
from backend.export.formats import Format
from backend.export.names import VideoNames
from backend.export.outputs import Output
from backend.export.record import Record, VideoLabels
from backend.export.records import EVERYTHING, addresses, one_snapshot, records
from backend.export.selection import Selection
from backend.export.split import Split
from backend.export.suggestions import unreviewed_suggestions
from backend.media.location import location
from backend.review import opinions
from stvg_core.datasets.video_table import TableEntry, as_text, table_path
from stvg_core.text import printable

WHOLE = ""
"""The one part of a dataset that is not split."""

TIMES_UNKNOWN = "the times of its variable-rate video are not stored yet; run stvg sync"
"""Why a label stays out of a format that must say seconds."""


@dataclass(frozen=True)
class Outcome:
    """What was written.

    Attributes:
        paths: the file or folder of each part.
        datasheet: the datasheet beside them.
        counts: as :func:`~backend.export.records.records` leaves them.
        tally: labels and videos by part.
        renamed: names of videos that another video had already.
    """

    paths: dict[str, Path]
    datasheet: Path
    counts: Counter[str]
    tally: Tally
    renamed: list[str]


def export(
    session: Session,
    form: Format,
    out: Path,
    *,
    project_id: int | None = None,
    selection: Selection = EVERYTHING,
    split: Split | None = None,
    overwrite: bool = False,
) -> Outcome:
    """Write the labels of one snapshot.

    Nothing appears at its place before everything is written. Of a split, each part moves to its place by itself.

    Raises:
        ExportError: something is in the way at ``out``.
        OSError: the disk is full, or may not be written to.
    """
    out = out.parent.resolve() / out.name if out.name else out.resolve()  # a link at the place itself is not followed
    paths = {part: part_path(out, part, folder=form.folder) for part in (split.parts if split else (WHOLE,))}
    sheet = out.with_name(f"{out.name}.datasheet.md")
    for path in paths.values():
        _check_ours(path, sheet, form)
    counts: Counter[str] = Counter()
    tally = Tally()
    shared: list[int] = []
    one_snapshot(session)
    names = VideoNames(addresses(session))
    tables: dict[str, list[TableEntry]] = {part: [] for part in paths}
    if selection.suggestions:
        found = unreviewed_suggestions(session, counts, project_id=project_id, selection=selection)
    else:
        found = records(session, counts, project_id=project_id, selection=selection, shared=shared)
    if form.needs_times:
        found = _with_times(found, counts)
    with ExitStack() as cleaning:
        outputs = {}
        for part, path in paths.items():
            outputs[part] = Output(path, folder=form.folder, overwrite=overwrite)
            cleaning.callback(outputs[part].discard)
        with ExitStack() as writing:
            adding = {part: writing.enter_context(form.open(output.temporary)) for part, output in outputs.items()}
            for labels in by_video(found, names):
                part = split.part(labels.video.sha256) if split else WHOLE
                adding[part](labels)
                tally.add(labels, part)
                tables[part].append(TableEntry(labels.name, labels.stem, labels.address, labels.video.sha256))
        counts.update(_untouched(session, project_id, selection))
        beside = []
        for part, path in paths.items():
            if form.has_table:
                beside.append(Output(table_path(path), folder=False))
                cleaning.callback(beside[-1].discard)
                beside[-1].temporary.write_text(as_text(tables[part]), encoding="utf-8")
        last = Output(sheet, folder=False)
        cleaning.callback(last.discard)
        filters = ([] if project_id is None else [f"project {project_id}"]) + selection.sentences()
        shares = split.shares if split else ()
        if form.has_table:
            tables_named = ", ".join(printable(table_path(path).name) for path in paths.values())
            note = f"{tables_named} says which video each name means."
            form = replace(form, notes=(*form.notes, note))
        text = datasheet(
            form, tally, counts, opinions.summary_of(session, shared), filters=filters, shares=shares,
            suggestions=selection.suggestions,
        )  # fmt: skip
        last.temporary.write_text(text, encoding="utf-8")
        finished = [*outputs.values(), *beside, last]
        for output in finished:
            output.sync()
        for output in finished:
            output.commit()
    return Outcome(paths, sheet, counts, tally, names.renamed)


def _untouched(session: Session, project_id: int | None, selection: Selection) -> Counter[str]:
    """The tasks that were not looked at for a record, by reason: those of the other kind of export."""
    counts = open_tasks.count_unlabelled(session, project_id)
    counted_already = open_tasks.NOT_LOOKED_AT if selection.suggestions else open_tasks.LABELLED
    del counts[counted_already]
    if not selection.suggestions:
        del counts[open_tasks.ACCEPTED_SUGGESTION]
    return counts


def _with_times(found: Iterator[Record], counts: Counter[str]) -> Iterator[Record]:
    """Without the labels of variable-rate videos whose times are not stored: an even spacing would be wrong."""
    for record in found:
        if record.video.times_known:
            yield record
            continue
        counts.subtract(["exported", record.origin, *record.marks])
        counts[TIMES_UNKNOWN] += 1


def by_video(found: Iterator[Record], names: VideoNames) -> Iterator[VideoLabels]:
    """The records of each video together; they come in order of content, which may lie at several addresses."""
    for sha256, group in groupby(found, key=lambda record: record.video.sha256):
        places: dict[str, list[Record]] = {}
        for record in group:
            places.setdefault(location(record.video_ref), []).append(record)
        for of_video in places.values():
            ref = of_video[0].video_ref
            yield VideoLabels(names.name(ref, sha256), names.stem(ref, sha256), of_video[0].video, of_video, ref)


def part_path(out: Path, part: str, *, folder: bool) -> Path:
    """``labels.json`` -> ``labels-train.json``, ``labels`` -> ``labels-train``."""
    if not part:
        return out
    return out.with_name(f"{out.name}-{part}" if folder else f"{out.stem}-{part}{out.suffix}")


def _check_ours(path: Path, sheet: Path, form: Format) -> None:
    """A folder is replaced only where an export of ours lies: its datasheet is beside it."""
    if form.folder and path.is_dir() and not path.is_symlink() and any(path.iterdir()) and not sheet.exists():
        raise ExportError(
            f"{path} is a folder with files, and there is no {sheet.name} beside it, so it does not look like an "
            "earlier export. Name another folder, or remove that one yourself."
        )
