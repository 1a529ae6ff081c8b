"""Which formats are there, and what does each of them lose?"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from backend.export import coco, cvat, frames_csv, hcstvg, labelstudio, mot, parquet, vidstg
from backend.export.record import VideoLabels

Add = Callable[[VideoLabels], None]

_BOXES_PER_FRAME = "Keyframes are gone: every frame has its own box."


@dataclass(frozen=True)
class Format:
    """A dataset format.

    Attributes:
        name: as on the command line.
        title: as people call it.
        folder: a folder of files, else one file.
        open: opens the file or folder, which the format creates or finds empty, for adding video after video.
        notes: sentences for the datasheet: coordinates, frames, and what is lost.
        has_table: a table of the videos' addresses is written beside it; else the format holds the addresses.
        needs_times: every label has seconds, and there is no way to leave them out.
    """

    name: str
    title: str
    folder: bool
    open: Callable[[Path], AbstractContextManager[Add]]
    notes: tuple[str, ...]
    has_table: bool = True
    needs_times: bool = False


_FORMATS = (
    Format(
        "hcstvg1",
        "HC-STVG version 1",
        False,
        partial(hcstvg.write, version=1),
        (
            "st_frame counts from 1; boxes are x, y, width, height in pixels; st_time and ed_time are those "
            "of the first and the last frame.",
            "Where a box was switched off for a while it is filled linearly.",
            'A further sentence on a video is named video#2, video#3 ...; "video" says its own name then.',
            f"{_BOXES_PER_FRAME} Labels are not in the format.",
        ),
        needs_times=True,
    ),
    Format(
        "hcstvg2",
        "HC-STVG version 2",
        False,
        partial(hcstvg.write, version=2),
        (
            "st_frame counts from 1; boxes are x, y, width, height in pixels; img_size is height, width.",
            "Where a box was switched off for a while it is filled linearly.",
            'A further sentence on a video is named video#2, video#3 ...; "video" says its own name then.',
            f"{_BOXES_PER_FRAME} Labels are not in the format.",
        ),
        needs_times=True,
    ),
    Format(
        "vidstg",
        "VidSTG with VidOR trajectories",
        True,
        vidstg.write,
        (
            "Frames count from 0, temporal_gt.end_fid is exclusive; boxes are corners in pixels.",
            "Frames on which a box was switched off have no box in the trajectories.",
            'used_relation is null and relation_instances empty: relations were not annotated. Every type is "object".',
        ),
    ),
    Format(
        "coco-vid",
        "COCO-VID",
        False,
        coco.write_coco_vid,
        (
            "frame_id counts from 0; boxes are x, y, width, height in pixels; the pictures' names count from 1.",
            "Frames on which a box was switched off have no annotation.",
            f"Sentences are in instances, which is an addition to the format. {_BOXES_PER_FRAME}",
        ),
    ),
    Format(
        "youtube-vis",
        "YouTube-VIS (boxes)",
        False,
        coco.write_youtube_vis,
        (
            "Lists run over all frames of a video; boxes are x, y, width, height in pixels.",
            "Frames without a box, and those on which it was switched off, are null; every segmentation is null.",
            f"Sentences are the annotations' caption, which is an addition to the format. {_BOXES_PER_FRAME}",
        ),
    ),
    Format(
        "mot",
        "MOTChallenge",
        True,
        mot.write,
        (
            "Frames count from 1; boxes are left, top, width, height in pixels counted from 0.",
            "Frames on which a box was switched off have no line.",
            f"Sentences lie beside the boxes in sentences.json, class names in gt/labels.txt. {_BOXES_PER_FRAME}",
        ),
    ),
    Format(
        "cvat",
        "CVAT for video, XML 1.1",
        True,
        cvat.write,
        (
            "Frames count from 0; boxes are corners in pixels.",
            'A box that was switched off is outside="1".',
            'The sentence is the text attribute "sentence" of the label.',
        ),
    ),
    Format(
        "labelstudio",
        "Label Studio JSON",
        False,
        labelstudio.write,
        (
            "Frames count from 1; boxes are percent of the picture.",
            "A box that was switched off is enabled: false on the last frame before.",
            "Only the target's box of each task, without the person who drew it.",
        ),
        has_table=False,
    ),
    Format(
        "csv",
        "CSV, one row per frame",
        False,
        frames_csv.write,
        (
            "Frames count from 0, seconds from the first frame; boxes are corners in pixels.",
            "time_s is the frame's own also where the rate varies; empty where that is not known (stvg sync finds it).",
            "Frames on which a box was switched off have no row.",
            "Text that a spreadsheet would take for a formula has an apostrophe in front; take one off to read it.",
            _BOXES_PER_FRAME,
        ),
    ),
    Format(
        "parquet",
        "Parquet, one row per tube",
        False,
        parquet.write,
        (
            "Frames count from 0, start_frame and end_frame are included; boxes are corners from 0 to 1.",
            "start_s and end_s are those frames' own also where the rate varies; null where that is not known.",
            "Boxes are filled where they were switched off; intervals has the frames on which they are on.",
            _BOXES_PER_FRAME,
        ),
    ),
)

FORMATS = {found.name: found for found in _FORMATS}


def with_predictions(form: Format) -> Format:
    """Label Studio's format with the labels as predictions."""
    return Format(
        form.name,
        f"{form.title}, labels as predictions",
        form.folder,
        partial(labelstudio.write, as_predictions=True),
        (*form.notes, "Labels are predictions; verdicts are left out."),
        form.has_table,
    )
