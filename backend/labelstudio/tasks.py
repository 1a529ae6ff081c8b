"""Tasks of a project. Which are missing, and does each carry its video's true frame rate?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from backend.labelstudio.client import Json, LabelStudioClient
from backend.labelstudio.config import LabelConfig, positive_number
from backend.labelstudio.payloads import PayloadError
from backend.labelstudio.playable import grounded_address
from stvg_core.errors import StvgError
from stvg_core.text import printable


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


def local_file_address(file: Path, document_root: Path) -> str:
    """The address under which Label Studio serves a file below its document root; raises PayloadError for others."""
    try:
        real, root = file.resolve(), document_root.resolve()
    except ValueError:  # a NUL, or half of a character
        raise PayloadError(f"{printable(str(file))!r} is no file name.") from None
    if not real.is_file():
        raise PayloadError(f"There is no video {printable(str(file))}.")
    if not real.is_relative_to(root):
        raise PayloadError(
            f"{file} lies outside Label Studio's document root {document_root}; name it: --document-root."
        )
    if printable(str(real.relative_to(root))) != str(real.relative_to(root)):
        raise PayloadError(
            f"The name of {printable(str(file))} is not UTF-8, and Label Studio cannot serve such a file. Rename it."
        )
    return "/data/local-files/?d=" + quote(real.relative_to(root).as_posix())


def import_missing(
    client: LabelStudioClient, project_id: int, config: LabelConfig, tasks: Sequence[Mapping[str, Any]]
) -> int:
    """Import the tasks whose video and sentence the project does not have yet; how many there were."""

    def identity(data: Mapping[str, Any]) -> tuple[str, str]:
        return grounded_address(data, str(data.get(config.video_key))), str(data.get(config.query_key))

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
        if config.frame_rate_key is None:
            problem = config.frame_rate_problem(data, facts.fps)
            report.warnings += [f"{name}: {problem}"] if problem else []
            report.right += problem is None
            continue
        stored = positive_number(data.get(config.frame_rate_key))
        if stored is not None and config.frame_rate_problem(data, facts.fps) is None:
            report.right += 1
            continue
        client.patch_task_data(int(task["id"]), data | {config.frame_rate_key: round(facts.fps, 6)})
        report.written += 1
    return report


def _task_data(entry: object, number: int, config: LabelConfig, place: Callable[[str], str]) -> Json:
    """One entry of a task file; the usual names of video and sentence become the interface's keys."""
    data = entry.get("data", entry) if isinstance(entry, dict) else None
    if not isinstance(data, dict):
        raise PayloadError(f"Task {number} of the file is no object.")
    rest = dict(data)
    video = next(_pop(rest, (config.video_key, "video")), None)
    query = next(_pop(rest, (config.query_key, "query", "caption", "sentence")), None)
    if not isinstance(video, str) or not video.strip():
        raise PayloadError(f'Task {number} of the file names no "video".')
    if not isinstance(query, str) or not query.strip():
        raise PayloadError(f'Task {number} of the file has no "query", the sentence to find.')
    return rest | {config.video_key: place(video.strip()), config.query_key: query.strip()}


def _pop(data: dict[str, Any], names: Sequence[str]) -> Iterator[Any]:
    return (data.pop(name) for name in names if name in data)
