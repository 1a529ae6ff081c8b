"""The nouns of the project: track, tube, video, grounding.

Conventions everywhere inside: frames are 0-based indices into the decoded video, intervals include both ends, boxes are
``x1, y1, x2, y2`` normalised to [0, 1] of the displayed frame, times are seconds from the first frame's timestamp.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stvg_core.notice import notices
from stvg_core.text import printable

if TYPE_CHECKING:
    from stvg_core.method.evidence import Evidence

Array = NDArray[Any]
REGIONS = "regions"
"""``source`` of the embedded proposer's tracks that are regions of even colour."""
Segment = tuple[int, int]
"""A part of a video: its first and its last frame, 0-based, both included."""


@dataclass(frozen=True)
class Track:
    """One candidate object: boxes at known frames, linear in between, absent before the first and after the last.

    Attributes:
        frames: ``(N,)`` int64, strictly increasing frame indices.
        boxes: ``(N, 4)`` float32, normalised xyxy.
        score: the proposer's own confidence in [0, 1].
        source: which proposer found it ("oracle", "regions", "people", "groundingdino", ...).
        label: the proposer's word for it, if it has one.
        masks: ``(N, m, m)`` uint8, by each of m x m equal parts of the box the share of it that the object's mask
            covers, in 255ths; all 0 on a frame without a mask. None where the proposer gives none. Relative to the box,
            so that small objects keep theirs and a long track stays small in memory.
        acts: ``(R, 2)`` int64, first and last frame of each time in which the object moves, grows, shakes or blinks,
            between two in which it rests; -1 for a border that is not clear. None where the proposer does not say.
    """

    frames: Array
    boxes: Array
    score: float = 1.0
    source: str = ""
    label: str = ""
    masks: Array | None = field(default=None, repr=False, kw_only=True)
    acts: Array | None = field(default=None, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        frames = np.asarray(self.frames, dtype=np.int64)
        boxes = np.asarray(self.boxes, dtype=np.float32)
        if frames.ndim != 1 or boxes.shape != (len(frames), 4) or len(frames) == 0:
            raise ValueError(
                f"a track needs (N,) frames and (N, 4) boxes with N >= 1, got {frames.shape} and {boxes.shape}"
            )
        if np.any(np.diff(frames) <= 0):
            raise ValueError("a track's frames must be strictly increasing")
        if not np.isfinite(boxes).all():
            raise ValueError("a track's boxes must be finite")
        if not math.isfinite(self.score):
            raise ValueError("a track's score must be finite")
        if self.masks is not None and (
            self.masks.dtype != np.uint8 or self.masks.ndim != 3 or len(self.masks) != len(frames)
        ):
            raise ValueError(f"a track's masks are (N, m, m) uint8, got {self.masks.shape} {self.masks.dtype}")
        if self.acts is not None and (self.acts.ndim != 2 or self.acts.shape[1] != 2):
            raise ValueError(f"a track's acts are (R, 2) frames, got {self.acts.shape}")
        object.__setattr__(self, "frames", frames)
        object.__setattr__(self, "boxes", boxes)

    def at(self, frames: Array) -> Array:
        """Boxes at any frames, ``(M,)`` -> ``(M, 4)`` float32; NaN rows where the track does not exist."""
        wanted = np.asarray(frames, dtype=np.int64)
        out = np.stack([np.interp(wanted, self.frames, self.boxes[:, k]) for k in range(4)], axis=1)
        out[(wanted < self.frames[0]) | (wanted > self.frames[-1])] = np.nan
        return out.astype(np.float32)

    def masks_at(self, frames: Array) -> Array | None:
        """Masks at any frames, ``(M,)`` -> ``(M, m, m)`` uint8 as in ``masks``: of the nearest known frame, all 0 where
        that has none; None for a track without masks.
        """
        if self.masks is None:
            return None
        wanted = np.asarray(frames, dtype=np.int64)
        after = np.searchsorted(self.frames, wanted).clip(0, len(self.frames) - 1)
        before = np.maximum(after - 1, 0)
        nearer = wanted - self.frames[before] <= self.frames[after] - wanted
        found: Array = self.masks[np.where(nearer, before, after)]
        return np.where(((wanted < self.frames[0]) | (wanted > self.frames[-1]))[:, None, None], np.uint8(0), found)


@dataclass(frozen=True)
class Tube:
    """The answer: one box for every frame from ``start_frame`` to ``end_frame``, both included.

    Attributes:
        start_frame: 0-based index of the first frame.
        boxes: ``(N, 4)`` float32 normalised xyxy inside [0, 1]; row i belongs to frame ``start_frame + i``.
    """

    start_frame: int
    boxes: Array

    def __post_init__(self) -> None:
        boxes = np.asarray(self.boxes, dtype=np.float32)
        if boxes.ndim != 2 or boxes.shape[1] != 4 or len(boxes) == 0:
            raise ValueError(f"a tube needs (N, 4) boxes with N >= 1, got {boxes.shape}")
        if self.start_frame < 0:
            raise ValueError(f"a tube cannot start before frame 0, got {self.start_frame}")
        if not np.isfinite(boxes).all():
            raise ValueError("a tube's boxes must be finite")
        object.__setattr__(self, "boxes", np.clip(boxes, 0.0, 1.0))

    @property
    def end_frame(self) -> int:
        """0-based index of the last frame, included."""
        return self.start_frame + len(self.boxes) - 1

    @property
    def frames(self) -> Array:
        """``(N,)`` int64 frame indices."""
        return np.arange(self.start_frame, self.end_frame + 1, dtype=np.int64)


@dataclass(frozen=True)
class VideoInfo:
    """What a probe says of a video, before any frame is decoded.

    Attributes:
        path: where it lies.
        width, height: of the picture as it is shown (turned and mirrored), in the pixels that are stored: where pixels
            are not square, players stretch it, and ``warnings`` says so.
        fps: average frames per second; ``fps_num / fps_den`` is the exact value.
        n_frames: number of decodable frames.
        duration_s: ``n_frames / fps`` unless the timestamps say otherwise.
        variable_rate: True where the timestamps are not evenly spaced.
        times: ``(n_frames,)`` float64 seconds from the first frame where the rate varies; None where it does not, and
            where the video has not been read for them.
        segment: where all of this is about a part of the video alone (``stvg_core.segment``): which part. Frames and
            times count from its first frame then.
        warnings: sentences for a person ("the end of the file is missing", ...).
    """

    path: str
    width: int
    height: int
    fps_num: int
    fps_den: int
    n_frames: int
    duration_s: float
    variable_rate: bool = False
    warnings: tuple[str, ...] = ()
    times: Array | None = field(default=None, repr=False, compare=False)
    segment: Segment | None = None

    @property
    def fps(self) -> float:
        return self.fps_num / self.fps_den

    def seconds(self) -> Array:
        """``(n_frames,)`` float64: when each frame is shown, in seconds from the first.

        Raises:
            ValueError: the rate varies and the times are not known; an even spacing would be wrong.
        """
        if self.times is not None:
            return self.times
        if self.variable_rate:
            raise ValueError(f"the times of the variable-rate video {self.path} are not known")
        return np.arange(self.n_frames, dtype=np.float64) * self.fps_den / self.fps_num

    def seconds_of(self, frame: int) -> float:
        """When a frame is shown, in seconds from the first; for the errors see :meth:`seconds`."""
        if not self.variable_rate:
            return frame * self.fps_den / self.fps_num
        return float(self.seconds()[frame])

    def end_of(self, frame: int) -> float:
        """Until when a frame is shown, in seconds from the first frame's start."""
        return self.seconds_of(frame + 1) if frame + 1 < self.n_frames else max(self.duration_s, self.seconds_of(frame))


@dataclass(frozen=True)
class Frames:
    """Decoded pictures.

    Attributes:
        pixels: ``(T, H, W, 3)`` uint8 RGB, displayed orientation.
        indices: ``(T,)`` int64 frame indices, as asked (repeats allowed).
        seconds: ``(T,)`` float64 from the first frame's timestamp.
    """

    pixels: Array
    indices: Array
    seconds: Array

    def __post_init__(self) -> None:
        if self.pixels.ndim != 4 or self.pixels.shape[3] != 3 or self.pixels.dtype != np.uint8:
            raise ValueError(f"frames are (T, H, W, 3) uint8, got {self.pixels.shape} {self.pixels.dtype}")
        if self.indices.shape != (len(self.pixels),) or self.seconds.shape != (len(self.pixels),):
            raise ValueError("one index and one timestamp per frame")

    def __len__(self) -> int:
        return len(self.pixels)


FEWER_SLOTS = "slots_after_out_of_memory"
"""In the evidence's ``info``: how many slots were looked at, where the memory did not suffice for all."""
NO_MASK = "tracks_without_mask"
"""In the evidence's ``info``: how many candidates have no mask where masks were to be scored."""
NOTHING_MOVES = "no_candidate_moves"
"""In the evidence's ``info``: how many candidates there are, where none is worth choosing from."""


def look_warnings(info: Mapping[str, Any], n_tracks: int) -> list[str]:
    """What a person must know of a look, in sentences.

    Args:
        info: of the evidence.
        n_tracks: how many candidates there were.
    """
    said = []
    if FEWER_SLOTS in info:
        said.append(f"The memory of the GPU did not suffice: only {info[FEWER_SLOTS]} frames were looked at.")
    if NO_MASK in info:
        said.append(f"{info[NO_MASK]} of {n_tracks} candidate tracks have no mask: their boxes were scored instead.")
    if NOTHING_MOVES in info:
        said.append(
            f"None of the {info[NOTHING_MOVES]} candidates moves, and none was found as a person: they are patches of "
            "even colour. If the object is not one of them, draw a box around it, or take another proposer."
        )
    return said


SPLIT, SPLIT_BY = "split", "split_by"
"""In the evidence's ``info``: did the sentence come apart (else both sub-queries are all of it), and who split it."""


@dataclass(frozen=True)
class Grounding:
    """A grounded sentence: the tube, or None where the video holds no candidate object, and all that led to it.

    ``score`` lies in [0, 1], ``timings`` are seconds per stage, ``model_version`` names weights, settings. ``segment``
    is the part of the video that was looked at, None for all of it; frames are those of the whole video all the same.
    """

    query: str
    attribute_query: str
    action_query: str
    video: VideoInfo
    tube: Tube | None
    score: float
    model_version: str
    timings: dict[str, float]
    evidence: Evidence
    segment: Segment | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person must know of the answer, in sentences: of the video, of the model, and of the look."""
        said = look_warnings(self.evidence.info, len(self.evidence.track_scores))
        if self.evidence.said is not None:
            said += [f"The model's answer was mended. {repair}" for repair in self.evidence.said.repairs]
        return (*self.video.warnings, *notices([self.model_version]), *said)

    def to_json(self) -> dict[str, Any]:
        """The JSON object of ``stvg ground``: pixels, 0-based inclusive frames, seconds of the first and last frame.

        ``segment`` is the part that was looked at, null for the whole video; ``width`` and ``height`` are the picture
        that the boxes are pixels of.
        """
        tube = self.tube
        size = np.array([self.video.width, self.video.height] * 2, dtype=np.float64)
        boxes = (
            {}
            if tube is None
            else {
                str(frame): [round(float(v), 2) for v in box * size]
                for frame, box in zip(tube.frames, tube.boxes, strict=True)
            }
        )
        return {
            "video": printable(Path(self.video.path).name),
            "query": self.query,
            "attribute_query": self.attribute_query,
            "action_query": self.action_query,
            "split": {
                "attribute": self.attribute_query,
                "action": self.action_query,
                "by": self.evidence.info.get(SPLIT_BY),
                "found": self.evidence.info.get(SPLIT),
            },
            "width": self.video.width,
            "height": self.video.height,
            "n_frames": self.video.n_frames,
            "segment": None if self.segment is None else list(self.segment),
            "start_s": None if tube is None else round(self.video.seconds_of(tube.start_frame), 4),
            "end_s": None if tube is None else round(self.video.seconds_of(tube.end_frame), 4),
            "start_frame": None if tube is None else tube.start_frame,
            "end_frame": None if tube is None else tube.end_frame,
            "boxes": boxes,
            "score": round(float(self.score), 6),
            "model_version": self.model_version,
            "warnings": list(self.warnings),
            "timings": {name: round(seconds, 4) for name, seconds in self.timings.items()},
        }
