"""The raw figures of a run: one row per clip, kind of tracks and step, as a small compressed CSV file."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stvg_core.errors import StvgError


@dataclass(frozen=True)
class Row:
    """What one step gave for one clip.

    Attributes:
        clips: name of the set of clips.
        clip: number of the scene in its split.
        objects: how many objects the clip holds.
        action: the target's.
        tracks: "oracle" or "proposed".
        step: name of the step, or of a bound ("chance", "whole clip", "oracle bound").
        right: 1 where the chosen track follows the target, else 0 (a chance for "chance").
        tiou, viou: against the truth.
        outside: mean score of the target's track outside the true interval as a share of the mean inside; NaN for
            bounds.
        over_others: log of S_obj of the target's true track over that of the best object with other looks, with oracle
            tracks only; NaN where there is none.
        over_twin: the same over the best object with the same colour and shape.
        seconds: of the whole step where it was timed, else NaN.
    """

    clips: str
    clip: int
    objects: int
    action: str
    tracks: str
    step: str
    right: float
    tiou: float
    viou: float
    outside: float
    over_others: float
    over_twin: float
    seconds: float


_FIELDS = dataclasses.fields(Row)
_READERS = {"str": str, "int": int, "float": float}


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """As gzip-compressed CSV; the same rows give the same bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in _FIELDS)
    for row in rows:
        writer.writerow(round(v, 4) if isinstance(v, float) else v for v in dataclasses.astuple(row))
    path.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def read_rows(path: Path) -> list[Row]:
    """What :func:`write_rows` wrote.

    Raises:
        StvgError: the file is missing or is something else.
    """
    try:
        lines = list(csv.reader(io.StringIO(gzip.decompress(path.read_bytes()).decode())))
    except OSError as error:
        raise StvgError(f"{path} cannot be read: {error}.") from error
    if not lines or lines[0] != [field.name for field in _FIELDS]:
        raise StvgError(f"{path} holds no rows of an ablation.")
    readers = [_READERS[str(field.type)] for field in _FIELDS]
    return [Row(*(read(cell) for read, cell in zip(readers, line, strict=True))) for line in lines[1:]]
