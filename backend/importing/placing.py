"""Where is each label's video, and what does the label say in that video's own frames?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stvg_core.datasets.base import VIDEO_ENDINGS, DatasetError, VideoLabel, video_stem
from stvg_core.errors import StvgError
from stvg_core.tube import Tube, VideoInfo


class VideoFolder:
    """The videos below a folder, found by name: ending, case and subfolder may differ from what a dataset says."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._by_stem: dict[str, list[Path]] = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower().lstrip(".") in VIDEO_ENDINGS and path.is_file():
                self._by_stem.setdefault(video_stem(path.name), []).append(path)

    def find(self, name: str) -> Path:
        """Raises :class:`DatasetError`: no such video, or several that the name does not tell apart."""
        found = self._by_stem.get(video_stem(name), [])
        wanted = name.replace("\\", "/").strip("/")
        exact = [path for path in found if f"/{path.as_posix()}".endswith(f"/{wanted}")]
        found = exact or found
        if not found:
            raise DatasetError(f"There is no video {name} below {self._folder}.")
        if len(found) > 1:
            raise DatasetError(f"Several videos could be {name}: {found[0]} and {found[1]}. Keep one of them.")
        return found[0]


@dataclass(frozen=True)
class Placed:
    """A label with its video.

    Attributes:
        path, info: the video and its probe.
        query: the sentence of the task; made from the object's class where the label has none.
        tube: in the video's own frames, gaps filled.
    """

    label: VideoLabel
    path: Path
    info: VideoInfo
    query: str
    tube: Tube


@dataclass
class Placing:
    """What came of :func:`place_labels`: labels with their videos, why others were left out, what to know."""

    placed: list[Placed] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    filled: int = 0


def place_labels(
    labels: Sequence[VideoLabel], videos: VideoFolder, probe: Callable[[Path], VideoInfo], *,
    progress: Callable[[Iterable[VideoLabel]], Iterable[VideoLabel]] = lambda labels: labels,
) -> Placing:  # fmt: skip
    """Find and probe each label's video, once per video; a label that does not fit is left out with a reason."""
    result = Placing()
    probed: dict[Path, VideoInfo | StvgError] = {}
    warned: set[Path] = set()
    queries = _queries(labels)
    for label, query in zip(progress(labels), queries, strict=True):
        try:
            path = videos.find(label.video)
            if path not in probed:
                probed[path] = _probe(probe, path)
            info = probed[path]
            if isinstance(info, StvgError):
                raise info
            tube = _cut(label, label.tube((info.width, info.height)), info, result)
        except StvgError as error:
            result.left_out.append(f"{label.record}: {error}")
            continue
        if path not in warned:
            warned.add(path)
            result.warnings += [f"{path.name}: {warning}" for warning in _differences(label, info)]
        result.filled += label.missing > 0
        result.placed.append(Placed(label, path, info, query, tube))
    return result


def _probe(probe: Callable[[Path], VideoInfo], path: Path) -> VideoInfo | StvgError:
    try:
        return probe(path)
    except StvgError as error:
        return error


def _queries(labels: Sequence[VideoLabel]) -> list[str]:
    """Each label's sentence, else its class, numbered where a video has several of it."""
    total = Counter((video_stem(label.video), label.category) for label in labels if not label.sentence)
    count: Counter[tuple[str, str]] = Counter()
    queries = []
    for label in labels:
        kind = video_stem(label.video), label.category
        if label.sentence:
            queries.append(" ".join(label.sentence.split()))
            continue
        count[kind] += 1
        name = label.category or "object"
        queries.append(f"{name} {count[kind]}" if total[kind] > 1 else name)
    return queries


def _cut(label: VideoLabel, tube: Tube, info: VideoInfo, result: Placing) -> Tube:
    """The part of the tube that the video has."""
    if tube.start_frame >= info.n_frames:
        raise DatasetError(
            f"it begins on frame {tube.start_frame} (counted from 0), but {Path(info.path).name} has only "
            f"{info.n_frames} frames."
        )
    if tube.end_frame < info.n_frames:
        return tube
    result.warnings.append(f"{label.record}: cut at the video's last frame, {info.n_frames - 1} (counted from 0)")
    return Tube(tube.start_frame, tube.boxes[: info.n_frames - tube.start_frame])


def _differences(label: VideoLabel, info: VideoInfo) -> list[str]:
    """Sentences where the file on disk is not the video that was labelled."""
    said = []
    if label.n_frames is not None and abs(label.n_frames - info.n_frames) > max(2, 0.02 * info.n_frames):
        said.append(
            f"the labels count {label.n_frames} frames, the video has {info.n_frames}: was it converted to another "
            "frame rate? Then the tubes lie at the wrong time."
        )
    if label.size is not None:
        labelled, real = label.size[0] / label.size[1], info.width / info.height
        if abs(labelled - real) > 0.02 * real:
            said.append(
                f"the labels are for a picture of {label.size[0]}x{label.size[1]}, the video's is "
                f"{info.width}x{info.height}: boxes are scaled to it, which is wrong for a cropped or turned video."
            )
    if info.variable_rate:
        said.append(
            "its frame rate varies and Label Studio counts frames evenly: boxes may be shown some frames early or "
            "late. Re-encode it at a constant rate."
        )
    return said
