"""VidSTG: ``annotations.json``, and VidOR's trajectories in ``vidor/<vid>.json``.

Frames count from 0 and ``temporal_gt.end_fid`` is exclusive. A sentence that ends with a question mark is a question,
any other a caption. The trajectories have no box where the object was switched off. Nobody noted relations between
objects, so ``used_relation`` is null and ``relation_instances`` is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.export.pieces import dumps, elements
from backend.export.record import Record, VideoLabels

TYPE = "object"
"""VidSTG says whether the target is a person; our labels do not."""


@contextmanager
def write(folder: Path) -> Iterator[Callable[[VideoLabels], None]]:
    """A function that adds a video's labels to the folder."""
    (folder / "vidor").mkdir()
    with (folder / "annotations.json").open("x", encoding="utf-8") as file:
        with elements(file, "[]") as element:

            def add(labels: VideoLabels) -> None:
                _write_vidor(folder / "vidor" / f"{labels.stem}.json", labels)
                for target_id, record in enumerate(labels.records):
                    element(dumps(_sentence(labels, target_id, record)))

            yield add
        file.write("\n")


def _facts(labels: VideoLabels) -> dict[str, Any]:
    video = labels.video
    objects = [{"tid": tid, "category": record.category} for tid, record in enumerate(labels.records)]
    return {
        "fps": video.fps,
        "frame_count": video.n_frames,
        "width": video.width,
        "height": video.height,
        "subject/objects": objects,
    }


def _sentence(labels: VideoLabels, target_id: int, record: Record) -> dict[str, Any]:
    text = {"description": record.query, "type": TYPE, "target_id": target_id}
    asks = record.query.rstrip().endswith("?")
    return {
        "vid": labels.stem,
        **_facts(labels),
        "used_segment": {"begin_fid": 0, "end_fid": labels.video.n_frames},
        "used_relation": None,
        "temporal_gt": {"begin_fid": record.tube.start_frame, "end_fid": record.tube.end_frame + 1},
        "captions": [] if asks else [text],
        "questions": [text] if asks else [],
        **record.mark(),
    }


def _write_vidor(path: Path, labels: VideoLabels) -> None:
    head = {"version": "VERSION 1.0", "video_id": labels.stem, "video_path": labels.name, **_facts(labels)}
    boxes = [dict(_boxes(tid, record)) for tid, record in enumerate(labels.records)]
    with path.open("x", encoding="utf-8") as file, elements(file, "{}") as field:
        for key, value in head.items():
            field(f"{dumps(key)}:{dumps(value)}")
        field('"relation_instances":[]')
        field('"trajectories":')
        with elements(file, "[]") as frame:
            for number in range(labels.video.n_frames):
                frame(dumps([seen[number] for seen in boxes if number in seen]))


def _boxes(tid: int, record: Record) -> Iterator[tuple[int, dict[str, Any]]]:
    """``(frame, entry)`` where the object is switched on; what lies between keyframes was generated, linearly."""
    set_by_hand = set() if record.unreviewed else {key.frame for key in record.keyframes}
    for frame, corners, drawn in zip(record.tube.frames.tolist(), record.corners(), record.drawn(), strict=True):
        if drawn:
            by_hand = frame in set_by_hand
            yield (
                frame,
                {
                    "tid": tid,
                    "bbox": dict(zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)),
                    "generated": 0 if by_hand else 1,
                    "tracker": "none" if by_hand else "linear",
                },
            )
