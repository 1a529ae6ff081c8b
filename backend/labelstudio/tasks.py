"""Tasks of a project. Which are missing, and does each carry its video's true frame rate?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from backend.labelstudio.client import Json, LabelStudioClient
from backend.labelstudio.config import LabelConfig
from backend.labelstudio.payloads import PayloadError
from backend.labelstudio.task_data import TaskDataError, read_value, with_value, without_value
from stvg_core.errors import StvgError


class VideoFacts(Protocol):
    """What a probe says of a video."""

    @property
    def fps(self) -> float: ...
    @property
    def variable_rate(self) -> bool: ...


@dataclass
class FrameRates:
    """What came of :func:`write_frame_rates`: tasks changed, tasks that were right, and what a person must know."""

    written: int = 0
    right: int = 0
    warnings: list[str] = field(default_factory=list)


def read_tasks(path: Path, config: LabelConfig, place: Callable[[str], str]) -> list[Json]:
    """Read a list of tasks: ``[{"video": ..., "query": ...}, ...]``, or as Label Studio imports them, inside ``data``.

    Args:
        place: turns what the file says of a video into the address that Label Studio serves it under.

    Returns:
        The data of each task, under the keys that the project's interface reads.

    Raises:
        PayloadError: not such a list; the message names the entry.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PayloadError(f"The task file {path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise PayloadError(f"The task file {path} is not JSON.") from None
    if not isinstance(entries, list):
        raise PayloadError(f'{path} must hold a list of tasks: [{{"video": ..., "query": ...}}, ...].')
    return [_task_data(entry, number, config, place) for number, entry in enumerate(entries, start=1)]


def task_data(
    config: LabelConfig, video: str, query: str, others: Mapping[str, Any] | None = None, *, fps: float | None = None
) -> Json:
    """The data of a task where the project's interface reads them. Raises TaskDataError."""
    data = with_value(with_value(others or {}, config.video_key, video), config.query_key, query)
    return data if fps is None else config.with_frame_rate(data, fps)


def local_file_address(file: Path, document_root: Path) -> str:
    """The address under which Label Studio serves a file below its document root; raises PayloadError for others."""
    real, root = file.resolve(), document_root.resolve()
    if not real.is_file():
        raise PayloadError(f"There is no video {file}.")
    if not real.is_relative_to(root):
        raise PayloadError(
            f"{file} lies outside Label Studio's document root {document_root}; name it: --document-root."
        )
    return "/data/local-files/?d=" + quote(real.relative_to(root).as_posix())


def import_missing(
    client: LabelStudioClient, project_id: int, config: LabelConfig, tasks: Sequence[Mapping[str, Any]]
) -> int:
    """Import the tasks whose video and sentence the project does not have yet; how many there were."""

    def identity(data: Mapping[str, Any]) -> tuple[str, str]:
        return config.video_of(data), config.query_of(data)

    known = {identity(task.get("data") or {}) for task in client.tasks(project_id)}
    new = {identity(data): dict(data) for data in tasks if identity(data) not in known}
    if new:
        client.import_tasks(project_id, [{"data": data} for data in new.values()])
    return len(new)


def write_frame_rates(
    client: LabelStudioClient,
    config: LabelConfig,
    tasks: Iterable[Json],
    probe: Callable[[Json], VideoFacts],
) -> FrameRates:
    """Give every task the frame rate of its own video, without which Label Studio draws tubes at the wrong time.

    A video that cannot be probed is reported and leaves its task as it is.
    """
    report = FrameRates()
    for task in tasks:
        data = dict(task.get("data") or {})
        name = f"task {task['id']}"
        try:
            facts = probe(task)
        except StvgError as error:
            report.warnings.append(f"{name}: {error}")
            continue
        if facts.variable_rate:
            report.warnings.append(
                f"{name}: the video's frame rate varies, Label Studio counts frames evenly: boxes may be shown some "
                "frames early or late. Re-encode it at a constant rate for frame-exact labels."
            )
        if facts.fps < 1:
            report.warnings.append(
                f"{name}: the video has {facts.fps:.6g} frames per second. Label Studio takes a rate below 1 for the "
                "seconds of a frame and shows tubes at the wrong time: re-encode the video at 1 or more."
            )
            continue
        if config.frame_rate_key is None:
            problem = config.frame_rate_problem(data, facts.fps)
            report.warnings += [f"{name}: {problem}"] if problem else []
            report.right += problem is None
            continue
        if config.has_frame_rate(data) and config.frame_rate_problem(data, facts.fps) is None:
            report.right += 1
            continue
        try:
            changed = config.with_frame_rate(data, facts.fps)
        except TaskDataError as error:
            report.warnings.append(f"{name}: {error}")
            continue
        client.patch_task_data(int(task["id"]), changed)
        report.written += 1
    return report


def _task_data(entry: object, number: int, config: LabelConfig, place: Callable[[str], str]) -> Json:
    """One entry of a task file; the usual names of video and sentence become the interface's keys."""
    data = entry.get("data", entry) if isinstance(entry, dict) else None
    if not isinstance(data, dict):
        raise PayloadError(f"Task {number} of the file is no object.")
    rest, video = _take(data, (config.video_key, "video"))
    rest, query = _take(rest, (config.query_key, "query", "caption", "sentence"))
    if not isinstance(video, str) or not video.strip():
        raise PayloadError(f'Task {number} of the file names no "video".')
    if not isinstance(query, str) or not query.strip():
        raise PayloadError(f'Task {number} of the file has no "query", the sentence to find.')
    try:
        return task_data(config, place(video.strip()), query.strip(), rest)
    except TaskDataError as error:
        raise PayloadError(f"Task {number} of the file: {error}") from None


def _take(data: Mapping[str, Any], names: Sequence[str]) -> tuple[Json, Any]:
    """The value under the first of the names that the data have, and the data without it."""
    for name in names:
        value = read_value(data, name)
        if value is not None:
            return without_value(data, name), value
    return dict(data), None
