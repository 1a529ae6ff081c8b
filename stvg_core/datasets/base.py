"""What all dataset readers share: one error, one way to open a file, and one label whatever the format."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stvg_core.errors import StvgError
from stvg_core.text import TextError, key, read_text
from stvg_core.tube import Array, Tube

MAX_FRAMES = 10_000_000
"""Over four days at 25 fps; a larger number in a file is a mistake that would fill the memory."""

SHARES = (1, 1)
"""The size of a picture in which boxes are shares of it, from 0 to 1."""

_SMALLEST = 16
"""Pixels: in a smaller picture an object may be as small as one of them."""

VIDEO_ENDINGS = frozenset(
    {"3gp", "avi", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "ogv", "ts", "webm", "wmv"}
)


UNUSABLE = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)
"""What reading a value of any kind out of somebody else's JSON may raise."""


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""A decimal number with a point: no "1_000", no digits of other scripts."""

_LARGEST = 1_000_000
"""Pixels; no picture is wider or higher."""

_FARTHEST = 1e9
"""A corner farther away than so many pixels is a mistake."""


class DatasetError(StvgError):
    """An annotation file cannot be read: missing, of another format, or a record (named) lacks something."""


class RepeatedKeyError(DatasetError):
    """An object in a JSON file has a key twice, so that a record would be lost."""


@dataclass(frozen=True)
class VideoPlace:
    """Which video it was that was labelled: its address in Label Studio, and the hash of its bytes."""

    address: str
    sha256: str | None = None


@dataclass(frozen=True)
class VideoLabel:
    """One object in one video, as any of the formats can say it.

    Attributes:
        video: the video as the dataset names it: a file name, or a name without its ending.
        sentence: what describes the object; "" where the format has no sentences.
        category: the object's class; "" where the format has none.
        frames: ``(N,)`` int64, 0-based and strictly increasing: where the object has a box. Gaps are allowed.
        boxes: ``(N, 4)`` float64 ``x1, y1, x2, y2`` in pixels of a picture of ``size``.
        size: ``(width, height)`` in pixels; None where the format does not say it and the video itself decides.
            :data:`SHARES` for boxes that are shares of the picture.
        n_frames: frames in the whole video as the dataset counts them; None where it does not say.
        record: names the label inside its file, for messages: "object 3 of gt.txt".
        place: where the video comes from, for the exports of ours that say it.
        predicted: a model's suggestion that nobody has accepted.
        turned: gives ``boxes`` by the width of the picture by its height, where boxes were turned: how far a turned box
            reaches depends on it, and the file does not say it.
    """

    video: str
    sentence: str
    category: str
    frames: Array
    boxes: Array
    size: tuple[int, int] | None
    record: str
    n_frames: int | None = None
    place: VideoPlace | None = None
    predicted: bool = False
    turned: Callable[[float], Array] | None = None

    def __post_init__(self) -> None:
        frames, boxes = np.asarray(self.frames, dtype=np.int64), np.asarray(self.boxes, dtype=np.float64)
        if frames.ndim != 1 or len(frames) == 0 or boxes.shape != (len(frames), 4):
            raise DatasetError(f"{self.record} has no boxes, or not four numbers for each of its frames.")
        if frames[0] < 0 or np.any(np.diff(frames) <= 0):
            raise DatasetError(f"{self.record}: its frames do not increase from 0 on; a frame may occur once.")
        if not (np.abs(boxes) <= _FARTHEST).all():
            raise DatasetError(f"{self.record} has a box that is not made of finite, plausible numbers.")
        if self.size != SHARES and are_shares(boxes, self.size):
            raise DatasetError(f"{self.record}: {IN_SHARES}")
        if self.size is not None and not all(1 <= side <= _LARGEST for side in self.size):
            raise DatasetError(f"{self.record} is for a picture of an impossible size.")
        object.__setattr__(self, "frames", frames)
        object.__setattr__(self, "boxes", boxes)

    @property
    def missing(self) -> int:
        """Frames between the first and the last that have no box."""
        return int(self.frames[-1] - self.frames[0]) + 1 - len(self.frames)

    def boxes_in(self, size: tuple[int, int]) -> Array:
        """``(N, 4)`` boxes in a video of ``size``, in pixels of the label's own size where it has one."""
        return self.boxes if self.turned is None else self.turned(size[0] / size[1])

    def tube(self, size: tuple[int, int]) -> Tube:
        """Normalised by the label's own size, else by ``size`` (the video's); gaps are filled linearly."""
        width, height = self.size or size
        every, boxes = np.arange(self.frames[0], self.frames[-1] + 1), self.boxes_in(size)
        filled = np.stack([np.interp(every, self.frames, boxes[:, k]) for k in range(4)], axis=1)
        return Tube(int(every[0]), filled / (width, height, width, height))


IN_SHARES = "its boxes are shares of the picture, from 0 to 1, where the format has pixels."


def are_shares(boxes: Array, size: tuple[int, int] | None) -> bool:
    """Can these be no pixels of a picture of ``size``? The object would lie within its first pixel in every frame."""
    small = size is not None and min(size) < _SMALLEST
    return not small and bool(((boxes >= 0) & (boxes <= 1)).all() and (boxes != np.rint(boxes)).any())


_SLACK = 0.02
"""People draw over the border: a box that leaves the picture by this share of its side is not remarkable."""


def leaving(corners: Array, size: tuple[int, int]) -> Array:
    """``(N,)`` bool: does a box, ``(N, 4)`` ``x1, y1, x2, y2`` in pixels, plainly leave the picture?"""
    picture = np.array(size, dtype=np.float64)
    slack = np.maximum(_SLACK * picture, 2)
    return np.asarray(((corners[:, :2] < -slack) | (corners[:, 2:] > picture + slack)).any(axis=1))


def leaves(corners: Array, size: tuple[int, int]) -> bool:
    """Does one of the boxes?"""
    return bool(leaving(corners, size).any())


def fit_as_corners(boxes: Array, size: tuple[int, int]) -> bool:
    """Would all boxes, read as ``x, y, width, height``, be boxes inside of the picture as ``x1, y1, x2, y2`` too?"""
    return bool((boxes[:, 2:] > boxes[:, :2]).all()) and not leaves(boxes, size)


def refuse_corners(path: Path, labels: Sequence[VideoLabel]) -> None:
    """Refuse a file whose boxes were read as ``x, y, width, height`` where they must be corners.

    That is where some leave the picture, which happens with objects at the border, and every single box of the file
    would fit as corners, which does not.

    Raises:
        DatasetError: so it is.
    """
    sized = [(label, label.size) for label in labels if label.size is not None and label.size != SHARES]
    out = next((label for label, size in sized if leaves(label.boxes, size)), None)
    if out is not None and all(fit_as_corners(_as_sizes(label.boxes), size) for label, size in sized):
        raise DatasetError(f"{path}: {out.record} {AS_CORNERS}")


AS_CORNERS = (
    "leaves the picture, and every box of the file would fit as x1, y1, x2, y2. The format has x, y, width, height: "
    "convert the file."
)


def _as_sizes(corners: Array) -> Array:
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)


def video_stem(name: str) -> str:
    """What a video is known by across files: its name without folders and a video's ending, as it is read.

    VidSTG leaves endings out and videos get converted, so ``0001/27938.mp4``, ``27938.mkv`` and ``27938`` are one. In
    which way an accent is written does not matter either, nor case, spaces beside spaces and characters that nobody
    sees. Two files may still have names that differ by these alone: see :func:`contradict`.
    """
    return split_ending(key(base_name(name)))[0]


def same_text(one: str, other: str) -> bool:
    """The same letters, in whichever way accents are written."""
    return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)


def contradict(one: str, other: str) -> bool:
    """Do two names for a video say different things, one not being a shorter form of the other?

    ``a/clip.mp4`` and ``b/clip.mp4`` do, ``Clip.mp4`` and ``clip.mp4`` do, ``clip.mp4`` and ``clip.mkv`` do;
    ``a/clip.mp4`` and ``clip.mp4`` do not, nor ``clip.mp4`` and ``clip``.
    """
    first, second = ([*reversed(name.replace("\\", "/").strip("/").split("/"))] for name in (one, other))
    if any(not same_text(a, b) for a, b in zip(first[1:], second[1:], strict=False)):
        return True
    (stem, ending), (other_stem, other_ending) = split_ending(first[0]), split_ending(second[0])
    return not same_text(stem, other_stem) or bool(ending and other_ending and ending != other_ending)


def split_ending(last: str) -> tuple[str, str]:
    """``clip.mp4`` as ``("clip", "mp4")``; what is no video's ending stays with the name."""
    stem, _, ending = last.rpartition(".")
    return (stem, ending) if stem and ending.casefold() in VIDEO_ENDINGS else (last, "")


def base_name(name: str) -> str:
    """The last part of a path that was written on any system."""
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2]


def whole(value: Any) -> int:
    """A whole number, as JSON or text has it (``7``, ``7.0``, ``"7"``); ValueError for others: nothing is cut off."""
    number = decimal(value)
    if number != int(number):
        raise ValueError(f"{value!r} is no whole number")
    return int(value) if isinstance(value, int) else int(number)


def decimal(value: Any) -> float:
    """A finite number, as JSON or text has it; ValueError for others, also for what only Python takes for one."""
    if isinstance(value, bool) or (isinstance(value, str) and not _NUMBER.fullmatch(value.strip())):
        raise ValueError(f"{value!r} is no number")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is no number")
    return number


def take_or_raise(error: DatasetError, bad: list[str] | None) -> None:
    """A record at fault is noted in ``bad`` where the caller wants the rest; else it ends the reading."""
    if bad is None:
        raise error
    bad.append(str(error))


def load_text(path: Path, *, encoding: str | None = None, keep_line_ends: bool = False) -> str:
    """The file's text, see :func:`stvg_core.text.read_text`; :class:`DatasetError` where there is none."""
    try:
        return read_text(path, encoding=encoding, keep_line_ends=keep_line_ends)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error
    except TextError as error:
        raise DatasetError(str(error)) from error


def load_json(path: Path, *, encoding: str | None = None) -> Any:
    """The file's content; :class:`DatasetError` where there is none or it is not JSON.

    A key that is there twice in one object is an error too: all but the last would be lost.
    """
    return parse_json(load_text(path, encoding=encoding), str(path))


def parse_json(text: str, where: str) -> Any:
    """:class:`DatasetError` names ``where`` the text comes from."""
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except RepeatedKeyError as error:
        raise RepeatedKeyError(
            f"{where} has the key {str(error)!r} twice in one object; only one of them would be read. Rename one."
        ) from None
    except json.JSONDecodeError as error:
        if _is_cut(text, error):
            raise DatasetError(f"{where} ends in the middle ({error}). Was it copied to its end?") from error
        raise DatasetError(f"{where} is not a JSON file ({error}).") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where} is not a JSON file ({error}).") from error


def _is_cut(text: str, error: json.JSONDecodeError) -> bool:
    """Is nothing wrong but that more should follow?"""
    rest = text[error.pos :].strip()
    in_word = any(word.startswith(rest) for word in ("true", "false", "null"))  # nothing at all included
    return bool(text.strip()) and (in_word or error.msg.startswith("Unterminated string"))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise RepeatedKeyError(next(key for key in found if keys.count(key) > 1))
    return found
