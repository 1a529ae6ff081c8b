"""A model that says what it was told to say, and a video of grey pictures: 10 seconds, 25 frames each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stvg_core.chat.base import Ask
from stvg_core.pipeline import Grounder
from stvg_core.proposals.base import FixedTracks
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Array, Frames, Track, VideoInfo
from tests.core.by_hand import Split

FRAMES, FPS, WIDTH, HEIGHT = 250, 25, 400, 336
LEFT, RIGHT, TINY = (0.0, 0.2, 0.4, 0.8), (0.6, 0.2, 1.0, 0.8), (0.48, 0.48, 0.5, 0.5)
QUERY = "the man in red who sits"


class Grey:
    """An open video."""

    def __init__(self, path: str | Path) -> None:
        self.info = VideoInfo(str(path), WIDTH, HEIGHT, FPS, 1, FRAMES, FRAMES / FPS)
        self.seconds = np.arange(FRAMES) / FPS
        self.reads: list[list[int]] = []

    def __enter__(self) -> Grey:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        pass

    def expect(self, indices: list[int]) -> None:
        pass

    def read(self, indices: Array, *, max_side: int | None = None) -> Frames:
        self.reads.append(indices.tolist())
        return Frames(np.full((len(indices), HEIGHT, WIDTH, 3), 90, np.uint8), np.asarray(indices), indices / FPS)


class Script:
    """As :class:`stvg_core.chat.base.Chat`. An exception among the answers is raised."""

    name, loaded = "script", None

    def __init__(self, *answers: str | Exception) -> None:
        self.left = list(answers)
        self.asked: list[Ask] = []

    def answers(self, asked: Sequence[Ask]) -> list[str]:
        found = []
        for one in asked:
            self.asked.append(one)
            answer = self.left.pop(0)
            if isinstance(answer, Exception):
                raise answer
            found.append(answer)
        return found

    def complete(self, prompt: str, max_tokens: int) -> str:
        raise NotImplementedError


def whole(box: tuple[float, ...], score: float = 1.0) -> Track:
    return Track(np.array([0, FRAMES - 1]), np.array([box, box]), score)


def grounder(
    locator: str, *answers: str | Exception, tracks: Sequence[Track] | None = None, **changes: Any
) -> tuple[Grounder, Script, list[Grey]]:
    """A grounder on stand-ins, who speaks, and every video that was opened."""
    chat, opened = Script(*answers), list[Grey]()

    def open_video(path: str | Path) -> Any:
        opened.append(Grey(path))
        return opened[-1]

    settings = replace(GroundingSettings(locator_model="script", shown_most=20), locator=locator, **changes)
    given = [whole(LEFT), whole(RIGHT, 0.9)] if tracks is None else tracks
    proposer = FixedTracks(given)
    made = Grounder.over(chat, settings, device="cpu", proposer=proposer, decomposer=Split(), open_video=open_video)
    return made, chat, opened
