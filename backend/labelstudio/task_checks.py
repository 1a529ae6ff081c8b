"""Can each task of a file be used? All of them are looked at before anything is made, each video once.

What cannot be used is named by its place in the file. What is left has the keys that the project's interface reads, the
address under which Label Studio serves the video, the cleaned sentence, and the video's true frame rate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from backend.labelstudio.client import Json
from backend.labelstudio.config import LabelConfig
from backend.labelstudio.task_data import TaskDataError, read_value, with_value, without_value
from backend.labelstudio.task_files import TaskFile
from backend.labelstudio.task_tables import Entry
from stvg_core.errors import QueryError, StvgError
from stvg_core.query import normalise_query
from stvg_core.tube import VideoInfo

_QUERY_NAMES = ("query", "caption", "sentence")


@dataclass(frozen=True)
class Placed:
    """Where a video is: its address in Label Studio, and its file where this machine has it."""

    address: str
    path: Path | None = None


@dataclass
class CheckedFile:
    """What came of :func:`check_file`.

    Attributes:
        tasks: the data of each task that can be used.
        problems: ``(record, why not)``, in order of the file; a record may have several.
        videos: what is known of each video that was looked at, by address; or why it cannot be used.
        unseen: addresses that cannot be looked at before the task exists.
        annotated: records that bring annotations or predictions, which are not read.
    """

    tasks: list[Json] = field(default_factory=list)
    problems: list[tuple[Entry, str]] = field(default_factory=list)
    videos: dict[str, VideoInfo | StvgError] = field(default_factory=dict)
    unseen: set[str] = field(default_factory=set)
    annotated: int = 0

    @property
    def bad(self) -> int:
        """How many records cannot be used."""
        return len({entry.record for entry, _ in self.problems})

    def listing(self) -> list[str]:
        """The problems, those of the same kind together: ``line 3 (record 2): ...``."""
        alike: dict[str, list[Entry]] = {}
        for entry, why in self.problems:
            alike.setdefault(why, []).append(entry)
        return [f"{_places(entries)}: {why}" for why, entries in alike.items()]


def names(config: LabelConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the video and the sentence may be called in a task file; what the interface reads comes first."""
    video = (config.video_key, "video")
    query = (config.query_key, *_QUERY_NAMES)
    return tuple(dict.fromkeys(video)), tuple(dict.fromkeys(query))


def further_keys(label_config: str, config: LabelConfig) -> list[str]:
    """The other keys of a task's data without which Label Studio refuses it: those of tags with a name."""
    try:
        root = fromstring(label_config)
    except (ParseError, DefusedXmlException, ValueError):
        return []
    values = (tag.get("value", "") for tag in root.iter() if tag.get("name"))
    keys = dict.fromkeys(value[1:] for value in values if value.startswith("$") and "[" not in value)
    return [key for key in keys if key and key not in (config.video_key, config.query_key)]


def check_file(
    found: TaskFile, config: LabelConfig, *, further: Sequence[str],
    place: Callable[[str], Placed], look: Callable[[Placed], VideoInfo | None],
    progress: Callable[[Iterable[Placed]], Iterable[Placed]] = lambda videos: videos,
) -> CheckedFile:  # fmt: skip
    """Look at every record of a task file, and at each of their videos once.

    Args:
        further: other keys that each task must have (:func:`further_keys`).
        place: where a video is that the file names; raises StvgError where it is not.
        look: what is in a video; raises StvgError where it cannot be used, None where that is not known yet.
        progress: shows how far the look at the videos is.
    """
    result = CheckedFile()
    usable: list[tuple[Entry, Json, Placed, str]] = []
    placed: dict[str, Placed | StvgError] = {}
    for entry in found.entries:
        problems = list(entry.problems)
        task = None if entry.data is None else read_task(entry.data, config, further, place, placed, problems)
        result.annotated += brings_labels(entry)
        result.problems += [(entry, why) for why in problems]
        if task is not None and not problems:
            usable.append((entry, *task))
    for where in progress(list({where.address: where for _, _, where, _ in usable}.values())):
        try:
            info = look(where)
        except StvgError as error:
            result.videos[where.address] = error
            continue
        if info is None:
            result.unseen.add(where.address)
        else:
            result.videos[where.address] = info
    _settle(usable, config, result)
    result.problems.sort(key=lambda problem: problem[0].record)
    return result


def _settle(usable: list[tuple[Entry, Json, Placed, str]], config: LabelConfig, result: CheckedFile) -> None:
    """Leave out what has a video that cannot be used, and what is there twice; write the frame rates."""
    first: dict[tuple[str, str], Entry] = {}
    for entry, data, where, query in usable:
        info = result.videos.get(where.address)
        if isinstance(info, StvgError):
            result.problems.append((entry, str(info)))
            continue
        same = first.setdefault((where.address, query), entry)
        if same is not entry:
            result.problems.append((entry, f"has the same video and sentence as {place_of(same)}"))
            continue
        if info is not None and config.frame_rate_key is not None:
            try:
                data = with_value(data, config.frame_rate_key, round(info.fps, 6))
            except TaskDataError as error:
                result.problems.append((entry, str(error)))
                continue
        result.tasks.append(data)


def read_task(
    record: Json, config: LabelConfig, further: Sequence[str], place: Callable[[str], Placed],
    placed: dict[str, Placed | StvgError], problems: list[str],
) -> tuple[Json, Placed, str] | None:  # fmt: skip
    """The task's data, where its video is, and its sentence; None where a problem was added."""
    video_names, query_names = names(config)
    inner = record.get("data", record)
    if not isinstance(inner, dict):
        if all(read_value(record, name) is None for name in video_names):
            problems.append('has a "data" that is no object')
            return None
        inner = record  # a value of its own that happens to be called so
    data, video = _take(inner, video_names, problems)
    data, query = _take(data, query_names, problems)
    for key in further:
        if read_value(data, key) is None and key != config.frame_rate_key:
            problems.append(f'has no "{key}", which the project\'s interface shows')
    where = None
    if video is not None:
        video = video.strip()
        if video not in placed:
            try:
                placed[video] = place(video)
            except StvgError as error:
                placed[video] = error
        known = placed[video]
        if isinstance(known, StvgError):
            problems.append(str(known))
        else:
            where = known
    if query is not None:
        try:
            query = normalise_query(query)
        except QueryError as error:
            problems.append(str(error))
    if where is None or query is None:
        return None
    try:
        data = with_value(with_value(data, config.video_key, where.address), config.query_key, query)
    except TaskDataError as error:
        problems.append(str(error))
        return None
    return data, where, query


def _take(data: Json, known: Sequence[str], problems: list[str]) -> tuple[Json, str | None]:
    """The data without it, and the text under the first of the names; None where a problem was added."""
    name = next((name for name in known if read_value(data, name) is not None), None)
    if name is None:
        there = ", ".join(f'"{key}"' for key in list(data)[:10]) or "nothing"
        wanted = " or ".join(f'"{name}"' for name in known)
        problems.append(f"has no {wanted}; it has {there}")
        return data, None
    value, rest = read_value(data, name), without_value(data, name)
    if not isinstance(value, str):
        problems.append(f'has a "{name}" that is {_kind(value)}, not text')
    elif not value.strip():
        problems.append(f'has an empty "{name}"')
    else:
        return rest, value
    return rest, None


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return "a list" if isinstance(value, list) else "an object"


def brings_labels(entry: Entry) -> bool:
    """Whether a record has annotations or predictions of its own."""
    return entry.data is not None and any(entry.data.get(name) for name in ("annotations", "predictions"))


def place_of(entry: Entry) -> str:
    """Where a record stands in its file, for a message."""
    return f"record {entry.record}" if entry.line is None else f"line {entry.line} (record {entry.record})"


def _places(entries: Sequence[Entry]) -> str:
    """``records 2, 5-9``, or the lines with them."""
    if len(entries) == 1:
        return place_of(entries[0])
    records = _ranges([entry.record for entry in entries])
    lines = [entry.line for entry in entries if entry.line is not None]
    return f"lines {_ranges(lines)} (records {records})" if lines else f"records {records}"


def _ranges(numbers: Sequence[int]) -> str:
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
