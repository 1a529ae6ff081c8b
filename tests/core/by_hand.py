"""What a :class:`stvg_core.pipeline.Grounder` works with, without a file and without a model.

A clip of 1000 frames, two cells (left and right), one token. In frames 400 to 549 the right cell is three times as
bright as the left one, and nothing else ever happens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from stvg_core.locating import attention
from stvg_core.pipeline import Grounder
from stvg_core.proposals.base import FixedTracks
from stvg_core.proposals.following import DrawnBox
from stvg_core.query import SubQueries
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Array, Frames, Track, VideoInfo
from tests.method.stand_in import Says, Shown, StandIn

FRAMES, ACTION = 1000, (400, 549)
LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)
QUERY = "the man in red who sits"
SETTINGS = GroundingSettings(
    n_slots=20, attention="raw", role_tokens="token-1", tas=False, second_look=True, proposer_weight=0.0
)


def whole(box: tuple[float, ...], score: float = 1.0) -> Track:
    return Track(np.array([0, FRAMES - 1]), np.array([box, box]), score)


class Clip:
    """An open video of 1 x 1 pictures: 1 during the action, else 0."""

    def __init__(self, path: str | Path) -> None:
        self.info = VideoInfo(str(path), 200, 100, 25, 1, FRAMES, FRAMES / 25)
        self.expected: list[int] = []
        self.reads: list[list[int]] = []
        self.seconds = np.arange(FRAMES) / 25
        self.closed = 0

    def __enter__(self) -> Clip:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.closed += 1

    def expect(self, indices: list[int]) -> None:
        self.expected = list(indices)

    def read(self, indices: Array, *, max_side: int | None = None) -> Frames:
        self.reads.append(indices.tolist())
        acts = (indices >= ACTION[0]) & (indices <= ACTION[1])
        pixels = np.tile(acts.astype(np.uint8)[:, None, None, None], (1, 1, 1, 3))
        return Frames(pixels, np.asarray(indices), indices / 25)


class Recorded(FixedTracks):
    """Hands back the given tracks, and remembers what it was asked for."""

    name, weight, uses_phrase = "recorded", 1.0, True

    def __init__(self, tracks: list[Track]) -> None:
        super().__init__(tracks)
        self.phrases: list[str] = []
        self.spans: list[tuple[int, int]] = []
        self.lengths: list[int] = []
        self.dense: Track | None = None

    def looks_at(self, info: VideoInfo) -> Array:
        return np.array([0, info.n_frames - 1])

    def words(self, phrase: str | None) -> list[str]:
        """The whole phrase."""
        return [phrase or ""]

    def search(self, video: Any, words: str) -> list[Track]:
        self.phrases.append(words)
        return super().search(video, words)

    def densify(self, video: Any, track: Track, start: int, end: int) -> Track:
        self.spans.append((start, end))
        self.lengths.append(video.info.n_frames)
        return self.dense or track

    def follow(self, video: Any, drawn: DrawnBox) -> Track:
        return super().follow(video, drawn)


class Split:
    """The first five words are the attribute phrase."""

    name = "split"

    def decompose(self, sentence: str) -> SubQueries:
        words = sentence.split()
        return SubQueries(" ".join(words[:4]), " ".join(words[:2] + words[5:]), found=True)


@dataclass(frozen=True)
class Loaded:
    device: str = "cpu"
    recompute: bool | None = None
    n_layers: int = 3
    n_heads: int = 2
    family: Any = field(default_factory=lambda: SimpleNamespace(frames_per_slot=1, layers=None))


class Bench:
    """A grounder on stand-ins, with all that it made.

    Attributes:
        failures, most: how often a prefill still fails for lack of memory, and for how many slots it suffices at last.
        graphs: how many prefills with a graph may be kept at once; ``refused`` counts those that were not made.
        keeps, batch: what new sessions say of the memory, see :class:`StandIn`.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tracks: list[Track], settings: GroundingSettings) -> None:
        self.clips: list[Clip] = []
        self.sessions: list[StandIn] = []
        self.failures, self.most = 0, FRAMES
        self.graphs, self.refused = FRAMES, 0
        self.keeps, self.batch = True, 1
        self.proposer = Recorded(tracks)
        monkeypatch.setattr(attention, "Session", self._session)
        self.grounder = Grounder(Loaded(), settings, "stand-in", self.proposer, Split(), self._open)  # type: ignore[arg-type]

    def _open(self, path: str | Path) -> Any:
        self.clips.append(Clip(path))
        return self.clips[-1]

    def _session(self, loaded: Loaded, frames: Frames) -> StandIn:
        acts = frames.pixels[:, 0, 0, 0] > 0
        seen = np.stack([np.full(len(acts), 0.25), np.where(acts, 0.75, 0.25)], axis=1)[None, :, None]

        def says(question: str) -> Says:
            return Says(0.0, np.zeros((len(acts), 2, 1)), seen)

        session = StandIn(np.ones((len(acts), 2, 1)), (1, 2), says)
        real = session.prefill

        def prefill(v: torch.Tensor, *, backwards: bool = False) -> Shown:
            if self.failures > 0 or len(acts) > self.most:
                self.failures -= 1
                raise torch.OutOfMemoryError("CUDA out of memory")
            if v.requires_grad and len(session._origins) >= self.graphs:
                self.refused += 1
                raise torch.OutOfMemoryError("CUDA out of memory")
            return real(v, backwards=backwards)

        session.prefill = prefill  # type: ignore[method-assign]
        session.recompute, session.keeps, session.batch = bool(loaded.recompute), self.keeps, self.batch
        self.sessions.append(session)
        return session


MakeBench = Callable[..., Bench]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> MakeBench:
    def make(tracks: list[Track] | None = None, **changes: Any) -> Bench:
        given = [whole(LEFT), whole(RIGHT)] if tracks is None else tracks
        return Bench(monkeypatch, given, replace(SETTINGS, **changes))

    return make
