"""Where is each label's video, and what does the label say in that video's own frames?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from backend.importing.finding import VideoFolder, Wanted
from stvg_core.datasets.base import SHARES, DatasetError, VideoLabel, leaving, video_stem
from stvg_core.errors import StvgError
from stvg_core.text import clean
from stvg_core.tube import Tube, VideoInfo


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
    """What came of :func:`place_labels`: labels with their videos, why others were left out, what to know.

    ``filled`` have gaps that were filled, ``unnamed`` have no sentence but their class.
    """

    placed: list[Placed] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    filled: int = 0
    unnamed: int = 0


def place_labels(
    labels: Sequence[VideoLabel], videos: VideoFolder, probe: Callable[[Path], VideoInfo], *,
    progress: Callable[[Iterable[VideoLabel]], Iterable[VideoLabel]] = lambda labels: labels,
) -> Placing:  # fmt: skip
    """Find and probe each label's video, once per video; a label that does not fit is left out with a reason."""
    result = Placing()
    probed: dict[Path, VideoInfo | StvgError] = {}
    warned: set[Path] = set()
    queries = _queries(labels)
    files = videos.find_all({Wanted.of(label) for label in labels})
    result.warnings += videos.doubts
    for label, query in zip(progress(labels), queries, strict=True):
        try:
            path = files[Wanted.of(label)]
            if isinstance(path, DatasetError):
                raise path
            _check_name(path)
            if path not in probed:
                probed[path] = _probe(probe, path)
            info = probed[path]
            if isinstance(info, StvgError):
                raise info
            _check_boxes(label, (info.width, info.height))
            tube = _cut(label, label.tube((info.width, info.height)), info, result)
        except StvgError as error:
            result.left_out.append(f"{label.record}: {error}")
            continue
        if path not in warned:
            warned.add(path)
            result.warnings += [f"{path.name}: {warning}" for warning in _differences(label, info)]
        result.filled += label.missing > 0
        result.unnamed += not label.sentence
        result.warnings += _over_the_border(label, (info.width, info.height))
        result.placed.append(Placed(label, path, info, query, tube))
    return result


def _probe(probe: Callable[[Path], VideoInfo], path: Path) -> VideoInfo | StvgError:
    try:
        return probe(path)
    except StvgError as error:
        return error


def _check_name(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise DatasetError("Its file's name is not UTF-8, so Label Studio cannot serve it: rename the file.") from None


def _check_boxes(label: VideoLabel, size: tuple[int, int]) -> None:
    """Every box shows something of the picture."""
    width, height = label.size or size
    inside = np.clip(label.boxes_in(size), 0, (width, height, width, height))
    nothing = (inside[:, 2] <= inside[:, 0]) | (inside[:, 3] <= inside[:, 1])
    if nothing.any():
        raise DatasetError(f"its box on frame {label.frames[nothing][0]} lies outside of the picture or has no size.")


def _over_the_border(label: VideoLabel, size: tuple[int, int]) -> list[str]:
    """A sentence where boxes leave the picture by more than a hand draws over its border."""
    picture = label.size or size
    if picture == SHARES:  # a tool of ours or Label Studio wrote them
        return []
    out = leaving(label.boxes, picture)
    if not out.any():
        return []
    return [
        f"{label.record}: {out.sum()} of {len(out)} boxes leave the picture and are cut at its border; the first is on "
        f"frame {label.frames[out][0]} (counted from 0)"
    ]


def _queries(labels: Sequence[VideoLabel]) -> list[str]:
    """Each label's sentence, else its class, numbered where a video has several of it."""
    total = Counter((video_stem(label.video), label.category) for label in labels if not label.sentence)
    count: Counter[tuple[str, str]] = Counter()
    queries = []
    for label in labels:
        kind = video_stem(label.video), label.category
        if label.sentence:
            queries.append(clean(label.sentence))
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
    if label.size is not None and label.size != SHARES:
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
