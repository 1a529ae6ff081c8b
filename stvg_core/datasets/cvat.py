"""CVAT for video, XML 1.1.

``<track id label>`` holds ``<box frame outside keyframe xtl ytl xbr ybr rotation>`` elements, pixels. Frames count from
0 in the source video, also where the task is a part of it (``start_frame``, ``frame_filter``). A turned box counts as
the upright box around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from stvg_core.datasets.base import MAX_FRAMES, DatasetError, VideoLabel, take_or_raise
from stvg_core.datasets.cvat_tracks import Span, drawn
from stvg_core.text import TextError, clean, decode, key

SENTENCE_NAMES = ("query", "sentence", "caption", "description")
"""An attribute of one of these names is the object's sentence."""


@dataclass(frozen=True)
class CvatVideo:
    """One task, or one job of it.

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


@dataclass(frozen=True)
class _Task:
    """What ``<meta>`` says; ``number`` is the task's id where the file is the dump of a project."""

    name: str
    size: tuple[int, int] | None
    n_frames: int | None
    span: Span
    whole: bool
    number: str | None = None


def read(
    path: str | Path, *, video: str | None = None, encoding: str | None = None, bad: list[str] | None = None
) -> CvatVideo:
    """Read a file of one task, as :func:`read_tasks` does; :class:`DatasetError` where it holds several."""
    found = read_tasks(path, video=video, encoding=encoding, bad=bad)
    if len(found) > 1:
        raise DatasetError(f"{path} is the export of a whole project with {len(found)} tasks.")
    return found[0]


def read_tasks(
    path: str | Path, *, video: str | None = None, encoding: str | None = None, bad: list[str] | None = None
) -> list[CvatVideo]:
    """Read the dump of a task, of a job, or of a project with its tasks.

    Args:
        video: the video's name, where it is not the one in the file.
        encoding: of the file, where it does not say the right one itself.
        bad: gets a sentence for each track that cannot be used, which is left out then.

    Raises:
        DatasetError: missing, or not such a file; without ``bad``, the track and frame at fault are named.
    """
    path = Path(path)
    root = _root(path, encoding)
    tracks = root.findall("track")
    if root.find("image") is not None and not tracks:
        raise DatasetError(
            f"{path}: this is CVAT for images, in which objects have no tracks. Export the task as CVAT for video."
        )
    tasks = list(_tasks(path, root, video))
    found = [CvatVideo(task.name, task.size, task.n_frames, [], []) for task in tasks]
    for track in tracks:
        where = f"track {track.get('id', '?')} of {path.name}"
        try:
            place = _place(where, track, tasks)
            task, boxes = tasks[place], drawn(where, track, tasks[place].span)
            if not boxes:
                found[place].empty.append(track.get("id", "?"))
                continue
            found[place].labels.append(
                VideoLabel(
                    task.name, _sentence(track), clean(track.get("label", "")), np.array(list(boxes)),
                    np.array(list(boxes.values())), task.size, where, task.n_frames if task.whole else None,
                )
            )  # fmt: skip
        except DatasetError as error:
            take_or_raise(error, bad)
    pictures = len(root.findall("image"))
    if pictures and bad is not None:
        bad.append(f"{path}: {pictures} pictures with boxes of their own, which belong to no track")
    return found


def _root(path: Path, encoding: str | None) -> Element:
    try:
        data = path.read_bytes()
        # Without a word from outside the file says its encoding itself; what the parser does not know is decoded here.
        root: Element = fromstring(data if encoding is None else decode(data, str(path), encoding=encoding))
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error
    except TextError as error:
        raise DatasetError(str(error)) from error
    except (ParseError, DefusedXmlException, ValueError) as error:
        hint = "" if encoding else " If it does not say its encoding rightly, say it: --encoding."
        raise DatasetError(f"{path} is not readable XML ({error}).{hint}") from error
    if root.tag != "annotations":
        raise DatasetError(f"{path} is not a CVAT file: its outer element is <{root.tag}>, not <annotations>.")
    return root


def _tasks(path: Path, root: Element, video: str | None) -> Iterator[_Task]:
    if root.find("meta/project") is None:
        meta = next((tag for tag in (root.find("meta/task"), root.find("meta/job")) if tag is not None), None)
        name = video or _text(root, "meta/source") or _text(meta, "source") or _text(meta, "name") or path.stem
        size = _size(path, meta) or _size(path, root.find("meta"))
        yield _task(path, meta, name, size, whole=meta is not None and meta.tag == "task")
        return
    tasks = root.findall("meta/project/tasks/task")
    if not tasks:
        raise DatasetError(
            f"{path} is the export of a whole project and does not say its tasks. Export each task on its own."
        )
    if video is not None and len(tasks) > 1:
        raise DatasetError(f"{path} is the export of a whole project with {len(tasks)} tasks: --video names only one.")
    for tag in tasks:
        name = video or _text(tag, "source") or _text(tag, "name") or path.stem
        yield _task(path, tag, name, _size(path, tag), whole=True, number=_text(tag, "id"))


def _task(
    path: Path, meta: Element | None, name: str, size: tuple[int, int] | None, *, whole: bool,
    number: str | None = None,
) -> _Task:  # fmt: skip
    n_frames = _whole(path, _text(meta, "size")) if _text(meta, "size") else None
    first = _whole(path, _text(meta, "start_frame") or "0", least=0)
    found = re.search(r"step\s*=\s*(\d+)", _text(meta, "frame_filter"))
    step = _whole(path, found.group(1)) if found else 1
    last = None if n_frames is None else _whole(path, str(first + (n_frames - 1) * step), least=0)
    return _Task(name, size, n_frames, Span(first, step, last), whole and first == 0 and step == 1, number)


def _place(where: str, track: Element, tasks: list[_Task]) -> int:
    """The place of the track's task in the list."""
    number = track.get("task_id")
    if tasks[0].number is None or (number is None and len(tasks) == 1):
        return 0
    found = [place for place, task in enumerate(tasks) if task.number == number]
    if number is None or len(found) != 1:
        raise DatasetError(f"{where} does not say which of the project's tasks it belongs to (task_id).")
    return found[0]


def _sentence(track: Element) -> str:
    """The track's attribute that holds a sentence, on the track itself or on its first box that has one."""
    for tag in track.iter("attribute"):
        if key(tag.get("name", "")) in SENTENCE_NAMES and tag.text and clean(tag.text):
            return clean(tag.text)
    return ""


def _size(path: Path, meta: Element | None) -> tuple[int, int] | None:
    width, height = _text(meta, "original_size/width"), _text(meta, "original_size/height")
    return (_whole(path, width), _whole(path, height)) if width and height else None


def _text(tag: Element | None, path: str) -> str:
    return "" if tag is None else (tag.findtext(path) or "").strip()


def _whole(path: Path, text: str, *, least: int = 1) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not least <= number <= MAX_FRAMES:
        raise DatasetError(f"{path}: a size or frame in <meta> is {text!r}, which is no plausible whole number.")
    return number
