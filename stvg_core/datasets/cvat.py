"""CVAT for video, XML 1.1.

``<track id label>`` holds ``<box frame outside keyframe xtl ytl xbr ybr>`` elements, frames counted from 0, pixels. An
``outside="1"`` box switches the object off from its own frame on; between two boxes the corners are linear, and after
the last one the object stays where it is until the end of the task. Rotation is ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import parse

from stvg_core.datasets.base import MAX_FRAMES, DatasetError, VideoLabel

SENTENCE_NAMES = ("query", "sentence", "caption", "description")
"""An attribute of one of these names is the object's sentence."""


@dataclass(frozen=True)
class CvatVideo:
    """One task.

    Attributes:
        name: the video file (``source``), else the task's name.
        size: ``(width, height)`` in pixels; None where the file does not say it.
        n_frames: frames of the task; None where the file does not say it.
        labels: one per track that is drawn at all, dense on the frames where it is; gaps are left open.
        empty: numbers of tracks without a box that is drawn.
    """

    name: str
    size: tuple[int, int] | None
    n_frames: int | None
    labels: list[VideoLabel]
    empty: list[str]


def read(path: str | Path, *, video: str | None = None) -> CvatVideo:
    """Read one task.

    Args:
        video: the video's name, where it is not the one in the file.

    Raises:
        DatasetError: missing, not such a file, or of several tasks; the track and frame at fault are named.
    """
    path = Path(path)
    try:
        root: Element = parse(path).getroot()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise DatasetError(f"{path} is not readable XML ({error}).") from error
    if root.tag != "annotations":
        raise DatasetError(f"{path} is not a CVAT file: its outer element is <{root.tag}>, not <annotations>.")
    if root.find("meta/project") is not None:
        raise DatasetError(f"{path} is the export of a whole project. Export each task on its own.")
    meta = next((tag for tag in (root.find("meta/task"), root.find("meta/job")) if tag is not None), None)
    name = video or _text(root, "meta/source") or _text(meta, "source") or _text(meta, "name") or path.stem
    width, height = _text(meta, "original_size/width"), _text(meta, "original_size/height")
    size = (_whole(path, width), _whole(path, height)) if width and height else None
    n_frames = _whole(path, _text(meta, "size")) if _text(meta, "size") else None
    labels, empty = [], []
    for track in root.iter("track"):
        number = track.get("id", "?")
        where = f"track {number} of {path.name}"
        drawn = _drawn(where, track, n_frames)
        if not drawn:
            empty.append(number)
            continue
        boxes = np.array(list(drawn.values()))
        labels.append(
            VideoLabel(
                name, _sentence(track), track.get("label", ""), np.array(list(drawn)), boxes, size, where, n_frames
            )
        )
    return CvatVideo(name, size, n_frames, labels, empty)


def _drawn(where: str, track: Element, n_frames: int | None) -> dict[int, list[float]]:
    """Every frame on which the track is drawn and its box, in order."""
    known: dict[int, tuple[list[float], bool]] = {}
    for tag in track.iter("box"):
        try:
            frame = int(tag.get("frame", ""))
            box = [float(tag.get(side, "")) for side in ("xtl", "ytl", "xbr", "ybr")]
        except ValueError as error:
            raise DatasetError(f"{where} has a box without a usable frame, xtl, ytl, xbr and ybr.") from error
        if not 0 <= frame < MAX_FRAMES or not np.isfinite(box).all():
            raise DatasetError(f"{where} has an impossible box on frame {frame}.")
        if frame in known:
            raise DatasetError(f"{where} has two boxes on frame {frame}.")
        known[frame] = (box, tag.get("outside", "0") == "1")
    order = sorted(known)
    drawn: dict[int, list[float]] = {}
    for place, here in enumerate(order):
        following = order[place + 1] if place + 1 < len(order) else None
        box, outside = known[here]
        if outside:
            continue
        drawn[here] = box
        if following is None:
            drawn |= dict.fromkeys(range(here + 1, n_frames or 0), box)
            continue
        target = np.array(known[following][0])
        for frame in range(here + 1, following):
            share = (frame - here) / (following - here)
            drawn[frame] = [float(v) for v in np.array(box) * (1 - share) + target * share]
    return drawn


def _sentence(track: Element) -> str:
    """The track's attribute that holds a sentence, on the track itself or on its first box that has one."""
    for tag in track.iter("attribute"):
        if tag.get("name", "").lower() in SENTENCE_NAMES and tag.text and tag.text.strip():
            return " ".join(tag.text.split())
    return ""


def _text(tag: Element | None, path: str) -> str:
    return "" if tag is None else (tag.findtext(path) or "").strip()


def _whole(path: Path, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 0 < number <= MAX_FRAMES:
        raise DatasetError(f"{path}: its size is written as {text!r}, not as a plausible whole number.")
    return number
