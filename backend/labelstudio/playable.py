"""Does Label Studio's page show this video, and the pictures that we mean? If not: why, and which copy does?

The page plays a video with the browser's own player and takes the picture at ``frame / rate`` for that frame. So a
video must be one that browsers play, begin at second 0, and have one rate. A copy that does is named in the task under
the video's key (``stvg_core.video.transcode`` makes it); the original's address then stands under ``ORIGINAL_KEY``, and
is what is grounded and exported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from backend.labelstudio.client import Json, LabelStudioClient
from backend.labelstudio.config import LabelConfig
from backend.labelstudio.originals import ORIGINAL_KEY
from backend.labelstudio.task_data import TaskDataError, with_value
from stvg_core.copies import is_copy
from stvg_core.errors import StvgError
from stvg_core.tube import VideoInfo

_NAMES = {
    "mp4": "mp4", "mov": "QuickTime (mov)", "3gp": "3gp", "webm": "WebM", "matroska": "Matroska (mkv)",
    "mpegts": "MPEG-TS", "mpeg": "MPEG-PS", "avi": "AVI", "flv": "Flash video (flv)", "asf": "Windows Media (wmv)",
    "ogg": "Ogg", "h264": "H.264", "hevc": "HEVC (H.265)", "av1": "AV1", "vp8": "VP8", "vp9": "VP9",
    "mpeg4": "MPEG-4 Part 2 (DivX, Xvid)", "mpeg2video": "MPEG-2", "mpeg1video": "MPEG-1", "theora": "Theora",
    "mjpeg": "Motion JPEG", "prores": "ProRes", "h263": "H.263", "flv1": "Sorenson (flv1)", "vvc": "VVC (H.266)",
}  # fmt: skip
_CONTAINERS_PLAYED = ("mp4", "mov", "webm")
_CONTAINERS_SOMETIMES = ("matroska", "3gp", "ogg")
_CODECS_PLAYED = ("h264", "vp8", "vp9", "av1")
_CODECS_SOMETIMES = ("hevc",)
_EIGHT_BITS = ("yuv420p", "yuvj420p")
ADVICE = "Run stvg connect with --transcode FOLDER for a copy that plays, or convert it to H.264 mp4."
_NOTHING_SMALLER = 0.3
"""Of a frame's time: so late may the first picture be without another frame being shown."""


class Facts(Protocol):
    """How a file is stored (``stvg_core.video.coding``)."""

    @property
    def container(self) -> str: ...
    @property
    def codec(self) -> str: ...
    @property
    def pixel_format(self) -> str: ...
    @property
    def start_s(self) -> float: ...
    @property
    def turned_by_message(self) -> bool: ...


class VideoFacts(Protocol):
    """What a probe says."""

    @property
    def fps(self) -> float: ...
    @property
    def variable_rate(self) -> bool: ...


def problems(coding: Facts, video: VideoFacts) -> list[str]:
    """Sentences on what the labelling page will not show, or show under other frame numbers; empty if all is well."""
    said = []
    container, codec = _NAMES.get(coding.container, coding.container), _NAMES.get(coding.codec, coding.codec)
    if coding.container not in (*_CONTAINERS_PLAYED, *_CONTAINERS_SOMETIMES):
        said.append(f"Its container, {container}, is played by no browser.")
    elif coding.container in _CONTAINERS_SOMETIMES:
        said.append(f"Its container, {container}, is not played by every browser.")
    if coding.codec not in (*_CODECS_PLAYED, *_CODECS_SOMETIMES):
        said.append(f"Its codec, {codec}, is played by no browser of today.")
    elif coding.codec in _CODECS_SOMETIMES:
        said.append(f"Its codec, {codec}, is not played by every browser.")
    elif coding.pixel_format not in _EIGHT_BITS:
        said.append(f"Its {codec} pictures have the format {coding.pixel_format}, which not every browser plays.")
    if coding.turned_by_message:
        said.append("Its pictures are turned by a message that browsers do not read, so the page shows them unturned.")
    if video.variable_rate:
        said.append("Its frame rate varies and Label Studio counts frames evenly, so boxes stand on other pictures.")
    elif coding.start_s * video.fps > _NOTHING_SMALLER:
        said.append(
            f"Its first picture comes at {coding.start_s:.3f} s and Label Studio counts from 0, so boxes stand on "
            f"pictures {round(coding.start_s * video.fps) or 1} frames before theirs."
        )
    return said


@dataclass(frozen=True)
class Seen:
    """A task's original video, fetched and looked at."""

    path: Path
    sha256: str
    info: VideoInfo
    problems: tuple[str, ...]


@dataclass
class Checked:
    """What came of :func:`check_tasks`: tasks that got a copy, tasks that had it, and what a person must know."""

    given: int = 0
    had: int = 0
    warnings: list[str] = field(default_factory=list)


def check_tasks(
    client: LabelStudioClient,
    config: LabelConfig,
    tasks: Iterable[Json],
    look: Callable[[str, int], Seen],
    copy: Callable[[Seen], str] | None,
) -> Checked:
    """Name the videos that the page does not show rightly, or give their tasks a copy that it does.

    Args:
        look: what lies at an original's address, which a task names; a StvgError for one that cannot be read leaves its
            tasks as they are, for it is said elsewhere.
        copy: makes a copy, or finds the one that is there, and returns its address; None names the videos only.
    """
    report, by_address = Checked(), dict[str, list[Json]]()
    for task in tasks:
        if address := config.video_of(task.get("data")):
            by_address.setdefault(address, []).append(task)
    for address, of_video in by_address.items():
        try:
            seen = look(address, int(of_video[0]["id"]))
            if not seen.problems:
                continue
            copied = None if copy is None else copy(seen)
        except StvgError as error:
            if copy is not None:
                report.warnings.append(f"{_named(of_video)}: no copy was made: {error}")
            continue
        for task in of_video:
            data = task.get("data") or {}
            played = config.played_of(data)
            if played == copied or (copied is None and is_copy(played)):
                report.had += 1
            elif copied is None:
                report.warnings.append(f"task {task['id']}: {' '.join(seen.problems)} {ADVICE}")
            else:
                try:
                    changed = with_value(data, config.video_key, copied) | {ORIGINAL_KEY: address}
                except TaskDataError as error:
                    report.warnings.append(f"task {task['id']}: no copy was given: {error}")
                    continue
                client.patch_task_data(int(task["id"]), changed)
                report.given += 1
    return report


def _named(tasks: list[Json]) -> str:
    numbers = ", ".join(str(task["id"]) for task in tasks[:5])
    more = f" and {len(tasks) - 5} more" if len(tasks) > 5 else ""
    return f"task {numbers}{more}"
