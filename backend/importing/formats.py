"""Which labels does a file of another tool or dataset hold?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stvg_core.datasets import cvat, hcstvg, mot, vidstg
from stvg_core.datasets.base import DatasetError, VideoLabel

FORMATS = ("hcstvg", "vidstg", "mot", "cvat")


def read_labels(
    kind: str, files: Sequence[Path], *, vidor: Path | None = None, video: str | None = None
) -> tuple[list[VideoLabel], list[str]]:
    """All labels of the files, and sentences about what was left out.

    Args:
        kind: one of :data:`FORMATS`.
        vidor: folder of VidOR's annotations, for VidSTG.
        video: the video's name, where a MOT or CVAT file does not have the right one.

    Raises:
        DatasetError: a file cannot be read; the record at fault is named.
    """
    if kind == "vidstg" and vidor is None:
        raise DatasetError("VidSTG's boxes are in VidOR: name the folder with its annotations, --vidor.")
    if video is not None and (len(files) > 1 or kind not in ("mot", "cvat")):
        raise DatasetError("--video belongs to one MOT or CVAT file.")
    labels: list[VideoLabel] = []
    notes: list[str] = []
    for path in files:
        if kind == "hcstvg":
            labels += [record.label() for record in hcstvg.read(path)]
        elif kind == "vidstg":
            assert vidor is not None
            labels += [record.label() for record in vidstg.read(path, vidor)]
        elif kind == "mot":
            sequence = mot.read(path, video=video)
            labels += sequence.labels
            if sequence.ignored:
                notes.append(f"{path}: {sequence.ignored} boxes have confidence 0 and are left out")
        elif kind == "cvat":
            task = cvat.read(path, video=video)
            labels += task.labels
            notes += [f"{path}: track {number} has no box that is drawn" for number in task.empty]
        else:
            raise DatasetError(f"There is no format {kind}; known are {', '.join(FORMATS)}.")
    return labels, notes
