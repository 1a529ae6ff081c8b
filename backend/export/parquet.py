"""Parquet: one row per tube, with types that Hugging Face ``datasets`` takes as they are.

Boxes are normalised corners on every frame from ``start_frame`` to ``end_frame`` (from 0, both included), exactly as
inside; ``intervals`` says on which frames the box is switched on. ``start_s`` and ``end_s`` are when the first and the
last frame are shown, null where a variable-rate video's times are not stored yet. Needs pyarrow (extra ``parquet``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.export.errors import ExportError
from backend.export.record import Record, VideoLabels

ROWS_PER_GROUP = 256


def schema() -> Any:
    """The file's ``pyarrow.Schema``."""
    pa = _pyarrow()
    text, whole, real = pa.string(), pa.int64(), pa.float64()
    return pa.schema(
        {
            "video": text, "video_sha256": text, "fps": real, "n_frames": whole, "width": whole, "height": whole,
            "sentence": text, "label": text, "start_frame": whole, "end_frame": whole, "start_s": real, "end_s": real,
            "boxes": pa.list_(pa.list_(pa.float32(), 4)), "intervals": pa.list_(pa.list_(whole, 2)),
            "origin": text, "verdict": text, "model_version": text, "annotator": whole,
            "project": whole, "task": whole, "annotation": whole, "saved_at": pa.timestamp("us", tz="UTC"),
        }
    )  # fmt: skip


@contextmanager
def write(path: Path) -> Iterator[Callable[[VideoLabels], None]]:
    """A function that adds a video's labels to the file; :class:`ExportError` without pyarrow."""
    pa = _pyarrow()
    from pyarrow import parquet

    columns = schema()
    rows: list[dict[str, Any]] = []
    with parquet.ParquetWriter(path, columns) as writer:

        def flush() -> None:
            writer.write_table(pa.Table.from_pylist(rows, schema=columns))
            rows.clear()

        def add(labels: VideoLabels) -> None:
            for record in labels.records:
                rows.append(_row(labels, record))
                if len(rows) >= ROWS_PER_GROUP:
                    flush()

        yield add
        flush()


def _row(labels: VideoLabels, record: Record) -> dict[str, Any]:
    video, tube = labels.video, record.tube
    return {
        "video": labels.name,
        "video_sha256": video.sha256,
        "fps": video.fps,
        "n_frames": video.n_frames,
        "width": video.width,
        "height": video.height,
        "sentence": record.query,
        "label": record.label,
        "start_frame": tube.start_frame,
        "end_frame": tube.end_frame,
        "start_s": video.seconds_of(tube.start_frame),
        "end_s": video.seconds_of(tube.end_frame),
        "boxes": tube.boxes.tolist(),
        "intervals": [list(interval) for interval in record.intervals],
        "origin": record.origin,
        "verdict": record.verdict,
        "model_version": record.model_version,
        "annotator": record.author_id,
        "project": record.project_id,
        "task": record.task_id,
        "annotation": record.annotation_id,
        "saved_at": record.moment,
    }


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise ExportError("Parquet needs pyarrow. Install it: pip install 'stvg[parquet]'") from None
    return pyarrow
