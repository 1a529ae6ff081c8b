"""A folder of somebody's own videos with a table of sentences. Which of its lines can be used, and why not the others?

The same checks as of ``stvg connect``, before anything is started. Nothing is known of the truth in these videos.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from backend.demo.clips import DemoClip
from backend.labelstudio.config import LabelConfig, read_config
from backend.labelstudio.task_checks import CheckedFile, Placed, check_file, names
from backend.labelstudio.task_files import read_task_file
from backend.labelstudio.task_videos import TaskVideos
from labeling_config import video_tube
from stvg_core.datasets.base import VIDEO_ENDINGS
from stvg_core.errors import StvgError
from stvg_core.text import clean, printable
from stvg_core.tube import VideoInfo
from stvg_core.video import probe

TABLE = "tasks.csv"
MOST = 300
"""Lines of a table: the demo asks for all of them at once and waits."""
_EXAMPLES = (("a.mp4", "the man in red who sits down"), ("b.mp4", "the dog that jumps"))


class OwnVideosError(StvgError):
    """The folder cannot be used; the message says what is missing."""


@dataclass(frozen=True)
class OwnVideos:
    """What can be used of a folder.

    Attributes:
        folder: with its real path.
        clips: one for each sentence, without truth.
        left_out: the lines that cannot be used, in words.
        unnamed: videos of the folder that the table does not name.
    """

    folder: Path
    clips: list[DemoClip]
    left_out: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)


def read_own(folder: Path) -> OwnVideos:
    """Look at every line of the folder's table and at each video that it names.

    Raises:
        OwnVideosError: there is no table, it has too many lines, or none of them can be used.
        PayloadError, TextError: the table as a whole cannot be read.
    """
    folder = folder.resolve()
    table = folder / TABLE
    if not table.is_file():
        raise OwnVideosError(_how_to_write(folder))
    config = read_config(video_tube())
    found = read_task_file(table, names(config))
    if len(found.entries) > MOST:
        raise OwnVideosError(
            f"{table} has {len(found.entries)} lines, and the demo takes {MOST} at most. For more there is stvg "
            "prelabel, or a project of its own: docs/first-project.md."
        )
    known = TaskVideos(folder, folder.parent, fetch=_no_address, probe=probe)

    def place(video: str) -> Placed:
        placed = known.place(video)
        if placed.path is None:
            raise OwnVideosError(f"{printable(video)!r} is an address; the demo takes files of the folder.")
        if not placed.path.resolve().is_relative_to(folder):
            raise OwnVideosError(f"{printable(video)} lies outside of {folder}, also if by a link only. Copy it there.")
        return placed

    checked = check_file(found, config, further=(), place=place, look=known.look, progress=_bar)
    clips, copies = _clips(checked, config)
    left_out = [*checked.listing(), *copies]
    if not clips:
        listed = "\n".join(left_out)
        raise OwnVideosError(f"No line of {table} can be used:\n{listed}")
    records = (entry.data.get("data", entry.data) for entry in found.entries if entry.data is not None)
    named = {clean(str(record.get("video"))) for record in records if isinstance(record, dict)}
    unnamed = [path.name for path in _videos(folder) if clean(path.name) not in named]
    return OwnVideos(folder, clips, left_out, unnamed)


def _clips(checked: CheckedFile, config: LabelConfig) -> tuple[list[DemoClip], list[str]]:
    """A clip for each task that can be used, and which copies are left out.

    Videos with the same content are one video in the database, and leave under one name: what became of a copy could
    not be told apart. Nor could videos of one name with one sentence.
    """
    clips: list[DemoClip] = []
    copies: list[str] = []
    first: dict[str, Path] = {}
    taken: set[tuple[str, str]] = set()
    for data in checked.tasks:
        address = config.video_of(data)
        info = checked.videos[address]
        assert isinstance(info, VideoInfo)
        path = Path(info.path)
        with path.open("rb") as file:
            same = first.setdefault(hashlib.file_digest(file, "sha256").hexdigest(), path)
        if same.resolve() != path.resolve():
            copies.append(f"{path.name} is a copy of {same.name}. Give that one both sentences.")
            continue
        clip = DemoClip(path, config.query_of(data), info.fps, info.n_frames)
        if (path.name, clip.query) in taken:
            copies.append(f"Another folder has a video called {path.name} with the same sentence. Rename one.")
            continue
        taken.add((path.name, clip.query))
        clips.append(clip)
    return clips, list(dict.fromkeys(copies))


def _videos(folder: Path) -> list[Path]:
    """Files of the folder itself that are called like videos, by name."""
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower().lstrip(".") in VIDEO_ENDINGS and path.is_file()
    )


def _how_to_write(folder: Path) -> str:
    """What the missing table must look like, with the folder's own videos where there are some."""
    videos = [path.name for path in _videos(folder)][: len(_EXAMPLES)]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("video", "query"))
    for at, (name, sentence) in enumerate(_EXAMPLES):
        if at < len(videos) or not videos:
            table.writerow((videos[at] if videos else name, sentence))
    nothing = "" if videos else " There is no video in the folder either."
    return (
        f"There is no {TABLE} in {folder}: it says which object of each video is meant.{nothing} Write one, with a "
        f"line for each video and sentence, for example:\n{text.getvalue().rstrip()}"
    )


def _no_address(address: str, task: int | None, project: int | None) -> Path:
    raise OwnVideosError(f"{address} is an address; the demo takes files of the folder.")


def _bar(videos: Iterable[Placed]) -> Iterable[Placed]:
    found: Iterable[Placed] = tqdm(videos, desc="videos", unit="video", disable=None, leave=False)
    return found
