"""MOTChallenge ground truth and results: one line per box.

``frame, id, left, top, width, height, confidence, class, visibility`` with frames counted from 1, pixels, and as many
of the last columns as the year of the challenge has. In ground truth a confidence of 0 marks a box to be ignored.
"""

from __future__ import annotations

import configparser
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import numpy as np

from stvg_core.datasets.base import (
    MAX_FRAMES,
    DatasetError,
    VideoLabel,
    decimal,
    load_json,
    load_text,
    refuse_corners,
    take_or_raise,
)
from stvg_core.text import clean

_PARTS = ("gt", "det")
_FEWEST, _MOST = 6, 10
"""Values in a line, from the first years' detections to MOT15 with its places in the world."""
_OTHERS = {";": "semicolons", "\t": "tabs", None: "spaces"}


@dataclass(frozen=True)
class MotSequence:
    """One file.

    Attributes:
        name: the sequence: the folder that ``gt/gt.txt`` or ``gt.txt`` lies in, else the file's own name.
        labels: one per object, by its number; gaps are left open.
        ignored: boxes left out because their confidence is 0.
    """

    name: str
    labels: list[VideoLabel]
    ignored: int


@dataclass
class _Object:
    boxes: dict[int, list[float]] = field(default_factory=dict)
    kind: int | None = None


def read(
    path: str | Path, *, video: str | None = None, encoding: str | None = None, bad: list[str] | None = None
) -> MotSequence:
    """Read one sequence.

    What the lines cannot say is taken from files beside them where they exist: the size and length from
    ``seqinfo.ini``, class names from ``labels.txt`` (line n is class n), and from ``sentences.json``, which our own
    export writes, ``{id: sentence}``.

    Args:
        video: the video's name, where it is not the sequence's.
        encoding: of the files, where they are not UTF-8.
        bad: gets a sentence for each line that cannot be used and each object that has two boxes on one frame; they
            are left out then.

    Raises:
        DatasetError: missing, or not such a file; without ``bad``, the line at fault is named.
    """
    path = Path(path)
    home = path.absolute().parent
    home = home.parent if home.name in _PARTS else home
    name = home.name if path.stem in _PARTS else path.stem
    size, n_frames = _sequence_facts(home / "seqinfo.ini", encoding)
    objects: dict[int, _Object] = {}
    doubled: dict[int, str] = {}
    ignored = 0
    for number, line in _lines(path, size, encoding, bad):
        if line.confidence == 0:
            ignored += 1
            continue
        found = objects.setdefault(line.identity, _Object(kind=line.kind))
        if line.frame in found.boxes:
            doubled.setdefault(
                line.identity,
                f"{path}, line {number}: object {line.identity} has a second box on frame {line.frame + 1}.",
            )
        found.boxes[line.frame] = line.box
    for identity, reason in doubled.items():
        take_or_raise(DatasetError(reason), bad)
        del objects[identity]
    if not objects and not bad:
        raise DatasetError(f"{path} holds no box that counts.")
    sentences, kinds = _sentences(home / "sentences.json", encoding), _kinds(path.parent / "labels.txt", encoding)
    labels = []
    for identity, found in sorted(objects.items()):
        frames = sorted(found.boxes)
        corners = np.array([found.boxes[frame] for frame in frames])
        category = kinds.get(found.kind or 0) or "object"
        sentence = sentences.get(str(identity), "")
        record = f"object {identity} of {path.name}"
        labels.append(VideoLabel(video or name, sentence, category, np.array(frames), corners, size, record, n_frames))
    refuse_corners(path, labels)
    return MotSequence(name, labels, ignored)


@dataclass(frozen=True)
class _Line:
    """A box: ``frame`` from 0, ``box`` ``x1, y1, x2, y2`` in pixels, ``kind`` the class's number."""

    frame: int
    identity: int
    box: list[float]
    confidence: float
    kind: int | None


def _lines(
    path: Path, size: tuple[int, int] | None, encoding: str | None, bad: list[str] | None
) -> Iterator[tuple[int, _Line]]:
    """Each line that is not empty and can be used, with its number from 1."""
    lines = load_text(path, encoding=encoding).split("\n")
    rows = {n: [cell.strip().strip('"') for cell in text.split(",")] for n, text in enumerate(lines, start=1)}
    rows = {number: row for number, row in rows.items() if any(row)}
    usual = _usual_length(path, list(rows.values()))
    for number, row in rows.items():
        try:
            if len(row) != usual and len(row) >= _FEWEST:
                raise DatasetError(
                    f"{path}, line {number} has {len(row)} values, the other lines have {usual}: is one missing, or "
                    "is there a comma inside of a number?"
                )
            yield number, _line(path, number, row, size)
        except DatasetError as error:
            take_or_raise(error, bad)


def _usual_length(path: Path, rows: list[list[str]]) -> int:
    """How many values most lines have; :class:`DatasetError` where these can be no lines of the format."""
    counts = Counter(len(row) for row in rows)
    usual = counts.most_common(1)[0][0] if counts else _FEWEST
    if usual == 1:
        other = next((name for mark, name in _OTHERS.items() if len(rows[0][0].split(mark)) >= _FEWEST), None)
        if other is not None:
            raise DatasetError(f"{path}: its values are separated by {other}, but by commas in this format.")
    if usual > _MOST:
        raise DatasetError(
            f"{path}: its lines have {usual} values, {_MOST} at most belong there. Numbers have a decimal point: is "
            "there a comma in its place?"
        )
    return usual


def _line(path: Path, number: int, row: list[str], size: tuple[int, int] | None) -> _Line:
    try:
        frame, _, x, y, width, height = (decimal(cell) for cell in row[:_FEWEST])
        exact = Decimal(row[1])  # two large ids must not become one
        confidence = decimal(row[6]) if len(row) > 6 else 1.0
        kind = decimal(row[7]) if len(row) > 7 else -1.0
    except (ValueError, ArithmeticError) as error:
        raise DatasetError(f"{path}, line {number} is not: frame, id, left, top, width, height, ...") from error
    if not 1 <= frame <= MAX_FRAMES or min(width, height) < 0:
        raise DatasetError(f"{path}, line {number} has an impossible frame or box; frames count from 1.")
    if frame != int(frame) or exact != int(exact):
        raise DatasetError(f"{path}, line {number}: frame and id must be whole numbers.")
    if size is not None and not (x < size[0] and y < size[1] and x + width > 0 and y + height > 0):
        raise DatasetError(
            f"{path}, line {number}: object {int(exact)} has a box outside of the picture on frame {int(frame)}."
        )
    return _Line(int(frame) - 1, int(exact), [x, y, x + width, y + height], confidence, int(kind) if kind > 0 else None)


def _sequence_facts(path: Path, encoding: str | None) -> tuple[tuple[int, int] | None, int | None]:
    """``(width, height)`` and the number of frames, None where there is no such file."""
    if not path.is_file():
        return None, None
    try:
        parsed = configparser.ConfigParser(interpolation=None)
        parsed.read_string(load_text(path, encoding=encoding))
        size = parsed.getint("Sequence", "imWidth"), parsed.getint("Sequence", "imHeight")
        length = parsed.getint("Sequence", "seqLength", fallback=0)
    except (configparser.Error, ValueError) as error:
        raise DatasetError(f"{path} does not say imWidth and imHeight in [Sequence].") from error
    return size if min(size) > 0 else None, length if 0 < length <= MAX_FRAMES else None


def _sentences(path: Path, encoding: str | None) -> dict[str, str]:
    if not path.is_file():
        return {}
    content = load_json(path, encoding=encoding)
    if not isinstance(content, dict):
        raise DatasetError(f'{path} must hold one object: {{"1": "the man in red", ...}}.')
    return {str(identity): clean(str(sentence)) for identity, sentence in content.items()}


def _kinds(path: Path, encoding: str | None) -> dict[int, str]:
    if not path.is_file():
        return {}
    lines = load_text(path, encoding=encoding).split("\n")
    return {number: clean(name) for number, name in enumerate(lines, start=1)}
