"""Parquet with one row per tube, as our export writes it; needs pyarrow (extra ``parquet``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stvg_core.datasets.base import UNUSABLE, DatasetError, VideoLabel, take_or_raise
from stvg_core.text import clean


def read(path: str | Path, *, bad: list[str] | None = None) -> list[VideoLabel]:
    """All labels of a file, in the file's order; each has boxes where its ``intervals`` are.

    Args:
        bad: gets a sentence for each row that cannot be used, which is left out then.

    Raises:
        DatasetError: missing, or no such file; without ``bad``, the row at fault is named.
    """
    path = Path(path)
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise DatasetError("Parquet needs pyarrow. Install it: pip install 'stvg[parquet]'") from None
    found = []
    try:
        with parquet.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=64):
                for row in batch.to_pylist():
                    number += 1
                    try:
                        found.append(_label(f"row {number} of {path.name}", row))
                    except DatasetError as error:
                        take_or_raise(error, bad)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from error
    except pyarrow.ArrowException as error:
        raise DatasetError(f"{path} is no Parquet file ({error}).") from error
    return found


def _label(where: str, row: Mapping[str, Any]) -> VideoLabel:
    try:
        size, start = (int(row["width"]), int(row["height"])), int(row["start_frame"])
        boxes = np.array(row["boxes"], dtype=np.float64).reshape(-1, 4) * (*size, *size)
        every = np.arange(start, start + len(boxes))
        on = np.logical_or.reduce([(every >= first) & (every <= last) for first, last in row["intervals"]])
        video, sentence, label = str(row["video"]), str(row["sentence"] or ""), str(row["label"] or "")
        n_frames = int(row["n_frames"])
        if min(size) < 1 or int(row["end_frame"]) != start + len(boxes) - 1:
            raise ValueError("its frames and boxes disagree")
        if (boxes[:, 2:] < boxes[:, :2]).any():
            raise ValueError("a box has a negative size")
        return VideoLabel(video, clean(sentence), clean(label), every[on], boxes[on], size, where, n_frames)
    except UNUSABLE as error:
        raise DatasetError(f"{where} lacks a usable value ({error}).") from error
