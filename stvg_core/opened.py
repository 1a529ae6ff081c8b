"""One video in front of one model: decoded once, seen by the vision tower once, proposals made once per noun."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import torch

from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.session import Session
from stvg_core.proposals import Proposer
from stvg_core.proposals.following import DrawnBox
from stvg_core.segment import PartOf, check_segment, track_within
from stvg_core.tube import Array, Segment, Track, VideoInfo
from stvg_core.video import Pictures, VideoReader, sample_indices

OpenVideo = Callable[[str | Path], Pictures]
"""Opens a local file; raises VideoError where it cannot be used."""


class Stopwatch:
    """Seconds per stage, added up; what a GPU was given to do in a stage belongs to it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
                with suppress(RuntimeError):  # what was wrong before is under way already
                    torch.cuda.synchronize()
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started


class OpenedVideo:
    """What all queries on one video share.

    Args:
        loaded: the model.
        proposer: where candidate tracks come from.
        video: a local file.
        n_slots: T_v, how many slots of frames the model sees at most.
        watch: where the seconds go.
        searched: whether the proposer will be asked for tracks, so that its frames are decoded on the same way.
        open_video: what reads the file's pictures.
        n_limit: for how many slots of such a video the memory suffices.
        segment: first and last frame of the part of the video that there is; None for all of it.

    It stays open until it is closed: pictures that were decoded for one purpose serve the others.

    Attributes:
        video: the open file, or the part of it, whose frames count from 0 then.
        slots: ``(T,)`` int64, the frame of ``video`` that stands for each slot.
        session: the model's view of all of ``video``.

    Raises:
        VideoError: the file cannot be used.
        QueryError: it has no such segment.
    """

    def __init__(
        self, loaded: LoadedModel, proposer: Proposer, video: str | Path, n_slots: int, watch: Stopwatch,
        searched: bool = True, open_video: OpenVideo = VideoReader, n_limit: Callable[[VideoInfo], int] | None = None,
        segment: Segment | None = None,
    ) -> None:  # fmt: skip
        self.loaded, self.n_slots = loaded, n_slots
        self.key = file_key(video), segment
        self._proposer = proposer
        self._tracks: dict[str, list[Track]] = {}
        with watch("decode"):
            self._file = open_video(video)
        self.video: Pictures = self._file
        try:
            self.segment = None if segment is None else check_segment(segment, self._file.info)
            if self.segment is not None:
                self.video = PartOf(self._file, self.segment)
            self._at_most = n_slots if n_limit is None else min(n_slots, n_limit(self.info))
            if searched:
                self.video.expect(proposer.looks_at(self.info).tolist())
            self.slots, self.session = self.look_at(0, self.info.n_frames - 1, watch)
        except BaseException:
            self.video.close()
            raise

    @property
    def limited(self) -> bool:
        """Would there be more slots, with more memory?"""
        possible = self.info.n_frames // self.loaded.family.frames_per_slot
        return self._at_most < min(self.n_slots, possible)

    @property
    def info(self) -> VideoInfo:
        """What the probe said, and what was found out about the file since; of a part, about that part."""
        return self.video.info

    @property
    def whole(self) -> VideoInfo:
        """The same of the file."""
        return self._file.info

    def close(self) -> None:
        """Let go of the file and of the decoded pictures; what is asked for later opens it again."""
        self.video.close()

    def look_at(self, first: int, last: int, watch: Stopwatch) -> tuple[Array, Session]:
        """A session on frames sampled uniformly between two frames, both included, and the frames of its slots."""
        fused = self.loaded.family.frames_per_slot
        indices = sampled(first, last, self._at_most, fused)
        with watch("decode"):
            frames = self.video.read(indices)
        # The frame in the middle of those that share a slot stands for it.
        slots = indices.reshape(-1, fused).mean(axis=1).round().astype(np.int64)
        with watch("vision"):
            return slots, Session(self.loaded, frames)

    def candidates(self, given: list[Track] | DrawnBox | None, phrase: str, watch: Stopwatch) -> list[Track]:
        """The given tracks (of the whole video), or the one that a drawn box is followed along, or the proposer's."""
        if isinstance(given, DrawnBox):
            with watch("propose"):
                return [self._proposer.follow(self.video, given)]
        if given is None:
            return self.tracks(phrase, watch)
        segment = self.segment
        return given if segment is None else [part for one in given if (part := track_within(one, segment))]

    def tracks(self, phrase: str, watch: Stopwatch) -> list[Track]:
        """The proposer's candidates for an attribute phrase; the same words are searched for once."""
        for words in self._proposer.words(phrase):
            if words not in self._tracks:
                with watch("propose"):
                    self._tracks[words] = self._proposer.search(self.video, words)
            if self._tracks[words]:
                return self._tracks[words]
        return []


def sampled(first: int, last: int, n_slots: int, fused: int) -> Array:
    """``(T * fused,)`` frames between two, both included: ``fused`` for each of at most ``n_slots`` slots."""
    n_frames = last - first + 1
    return first + sample_indices(n_frames, max(1, min(n_slots, n_frames // fused)) * fused)


def file_key(video: str | Path) -> tuple[str, int, int]:
    """Tells whether a path still holds the same file; a missing one has a key too, and is told apart by the probe."""
    path = Path(video)
    try:
        status = path.stat()
    except OSError:
        return str(path), -1, -1
    return str(path.resolve()), status.st_mtime_ns, status.st_size
