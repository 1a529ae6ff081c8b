"""Which labels does a file of another tool or dataset hold?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from backend.importing import tasks_json
from stvg_core.datasets import coco, cvat, frames_csv, hcstvg, mot, parquet_rows, vidstg
from stvg_core.datasets.base import DatasetError, VideoLabel, take_or_raise
from stvg_core.datasets.video_table import VideoTable, table_of

FORMATS = (
    "hcstvg", "hcstvg1", "hcstvg2", "vidstg", "mot", "cvat", "coco-vid", "youtube-vis", "labelstudio", "csv", "parquet",
)  # fmt: skip
"""``hcstvg`` is either version: they are told apart by what they hold."""

_FOLDERS = {"mot": ("gt/gt.txt", "*/gt/gt.txt"), "cvat": ("*.xml",), "vidstg": ("annotations.json",)}
"""Where the files lie in a folder that ``stvg export`` wrote, or in one sequence of it."""


def read_labels(
    kind: str, files: Sequence[Path], *, vidor: Path | None = None, video: str | None = None,
    encoding: str | None = None, bad: list[str] | None = None,
) -> tuple[list[VideoLabel], list[str]]:  # fmt: skip
    """All labels of the files, and sentences about what was left out.

    Args:
        kind: one of :data:`FORMATS`.
        files: of formats that are a folder, the folder of an export, or of a MOT sequence, may stand for its files.
        vidor: folder of VidOR's annotations, for VidSTG; the one beside an export of ours by default.
        video: the video's name, where a MOT or CVAT file does not have the right one.
        encoding: of the files, where they are not UTF-8.
        bad: gets a sentence for each record that cannot be used; without it, such a record is an error.

    Raises:
        DatasetError: a file cannot be read; the record at fault is named.
    """
    if kind not in FORMATS:
        raise DatasetError(f"There is no format {kind}; known are {', '.join(FORMATS)}.")
    files = files_of(kind, files)
    if video is not None and (len(files) > 1 or kind not in ("mot", "cvat")):
        raise DatasetError("--video belongs to one MOT or CVAT file.")
    labels: list[VideoLabel] = []
    notes: list[str] = []
    for path in files:
        table = VideoTable() if video is not None or kind == "labelstudio" else table_of(path)
        found = _read(kind, path, vidor, video, encoding, bad, notes)
        labels += [_placed(kind, path, label, table) for label in found]
    return labels, notes


def files_of(kind: str, files: Sequence[Path]) -> list[Path]:
    """The files to be read: those in it for a folder. Raises :class:`DatasetError` where it holds none."""
    return [inside for path in files for inside in _files(kind, path)]


def _files(kind: str, path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    if kind not in _FOLDERS:
        raise DatasetError(f"{path} is a folder. Name the files in it.")
    found = sorted({file for pattern in _FOLDERS[kind] for file in path.glob(pattern)})
    if not found:
        raise DatasetError(f"The folder {path} holds no {' or '.join(_FOLDERS[kind])}.")
    return found


def _read(
    kind: str, path: Path, vidor: Path | None, video: str | None, encoding: str | None, bad: list[str] | None,
    notes: list[str],
) -> list[VideoLabel]:  # fmt: skip
    match kind:
        case "vidstg":
            folder = vidor or path.parent / "vidor"
            if vidor is None and not folder.is_dir():
                raise DatasetError("VidSTG's boxes are in VidOR: name the folder with its annotations, --vidor.")
            records = vidstg.read(path, folder, encoding=encoding, bad=bad)
            notes += _shorter(path, records)
            return _labels(records, bad)
        case "mot":
            sequence = mot.read(path, video=video, encoding=encoding, bad=bad)
            if sequence.ignored:
                notes.append(f"{path}: {sequence.ignored} boxes have confidence 0 and are left out")
            return sequence.labels
        case "cvat":
            tasks = cvat.read_tasks(path, video=video, encoding=encoding, bad=bad)
            notes += [f"{path}: track {number} has no box that is drawn" for task in tasks for number in task.empty]
            return [label for task in tasks for label in task.labels]
        case "coco-vid":
            return coco.read_coco_vid(path, encoding=encoding, bad=bad)
        case "youtube-vis":
            return coco.read_youtube_vis(path, encoding=encoding, bad=bad)
        case "labelstudio":
            return tasks_json.read(path, encoding=encoding, bad=bad)
        case "csv":
            return frames_csv.read(path, encoding=encoding, bad=bad)
        case "parquet":
            return parquet_rows.read(path, bad=bad)
    return _labels(hcstvg.read(path, encoding=encoding, bad=bad), bad)


def _shorter(path: Path, records: Sequence[vidstg.VidStgRecord]) -> list[str]:
    """A target is not seen on every frame of its sentence; a tube is only as long as the target's boxes."""
    found = [r for r in records if r.frames[0] > r.start or r.frames[-1] < r.end - 1]
    if not found:
        return []
    first = found[0]
    return [
        f"{path}: {len(found)} sentences have boxes on a part of their interval only, and their tubes are that much "
        f'shorter; the first is "{first.sentence}" on {first.video}, frames {first.start} to {first.end - 1}'
    ]


def _labels(
    records: Sequence[hcstvg.HcStvgRecord] | Sequence[vidstg.VidStgRecord], bad: list[str] | None
) -> list[VideoLabel]:
    found = []
    for record in records:
        try:
            label = record.label()
            if not label.sentence:
                raise DatasetError(f"{label.record} has no sentence.")
            found.append(label)
        except DatasetError as error:
            take_or_raise(error, bad)
    return found


def _placed(kind: str, path: Path, label: VideoLabel, table: VideoTable) -> VideoLabel:
    """The label with the place of its video, as the table beside the export says it."""
    match kind:
        case "cvat":
            place = table.place(stem=path.stem)
        case "vidstg" | "mot" | "youtube-vis":
            place = table.place(stem=label.video)
        case _:
            place = table.place(name=label.video)
    return label if place is None else replace(label, place=place)
