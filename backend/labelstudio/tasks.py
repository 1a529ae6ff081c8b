"""Tasks of a project. Which are missing, and does each carry its video's true frame rate?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from backend.labelstudio.client import Json, LabelStudioClient
from backend.labelstudio.config import LabelConfig
from backend.labelstudio.payloads import PayloadError
from backend.labelstudio.task_data import TaskDataError, with_value
from stvg_core.errors import StvgError
from stvg_core.text import clean, printable

_AT_ONCE = 5000
"""Tasks in one request: an import that is cut off goes on where it stopped when it is run again."""


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


def task_data(
    config: LabelConfig, video: str, query: str, others: Mapping[str, Any] | None = None, *, fps: float | None = None
) -> Json:
    """The data of a task where the project's interface reads them. Raises TaskDataError."""
    data = with_value(with_value(others or {}, config.video_key, video), config.query_key, query)
    return data if fps is None else config.with_frame_rate(data, fps)


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
        return config.video_of(data), clean(config.query_of(data))

    known = {identity(task.get("data") or {}) for task in client.tasks(project_id)}
    new = {identity(data): dict(data) for data in tasks if identity(data) not in known}
    made = [{"data": data} for data in new.values()]
    for first in range(0, len(made), _AT_ONCE):
        client.import_tasks(project_id, made[first : first + _AT_ONCE])
    return len(made)


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
