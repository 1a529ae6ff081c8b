"""What a model was shown and what it said: the evidence of locators that use words.

Pictures are not kept: a round knows the frames and what was painted on them, and whoever has the video can paint them
again. Nothing here needs torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from stvg_core.tube import Array


@dataclass(frozen=True)
class Mark:
    """A number that was painted on a picture.

    Attributes:
        picture: which of the round's pictures, from 0.
        number: what was painted.
        x, y: its centre, shares of the picture.
    """

    picture: int
    number: int
    x: float
    y: float


@dataclass(frozen=True)
class Round:
    """One question with its pictures, and the answer.

    Attributes:
        about: what was asked for, in a few words for a person.
        frames: of the pictures, 0-based.
        captions: what was written before each picture, or painted in its corner.
        question: the words, as they were sent.
        answer: the model's words, as they came.
        read: what was read in them, by name.
        repairs: what had to be mended to read them, in sentences.
        size: width and height of the pictures in pixels.
    """

    about: str
    frames: tuple[int, ...]
    captions: tuple[str, ...]
    question: str
    answer: str
    read: Mapping[str, Any]
    repairs: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    size: tuple[int, int] = (0, 0)

    def moved(self, frames: int) -> Round:
        """The same with frames that count from elsewhere."""
        return replace(self, frames=tuple(frame + frames for frame in self.frames))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Round:
        return cls(
            about=str(values["about"]), frames=tuple(int(frame) for frame in values["frames"]),
            captions=tuple(values["captions"]), question=str(values["question"]), answer=str(values["answer"]),
            read=dict(values["read"]), repairs=tuple(values["repairs"]),
            marks=tuple(Mark(**mark) for mark in values["marks"]), size=(values["size"][0], values["size"][1]),
        )  # fmt: skip


@dataclass(frozen=True)
class Said:
    """All rounds about one sentence, in their order.

    Attributes:
        model: who spoke.
        rounds: at least one, unless there was nothing to ask about.
        certainty: what speaks for the answer, each in [0, 1] under a few words for a person.
    """

    model: str
    rounds: tuple[Round, ...] = ()
    certainty: Mapping[str, float] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """The mean of what speaks for the answer; 1 where nothing could be compared."""
        return float(np.mean(list(self.certainty.values()))) if self.certainty else 1.0

    @property
    def repairs(self) -> tuple[str, ...]:
        """Of all rounds, each sentence once."""
        return tuple(dict.fromkeys(repair for one in self.rounds for repair in one.repairs))

    def moved(self, frames: int) -> Said:
        """The same with frames that count from elsewhere."""
        return replace(self, rounds=tuple(one.moved(frames) for one in self.rounds))

    def with_rounds(self, rounds: Sequence[Round], certainty: Mapping[str, float]) -> Said:
        """With further rounds, and what speaks for the answer now."""
        return replace(self, rounds=(*self.rounds, *rounds), certainty=dict(certainty))

    def to_array(self) -> Array:
        """UTF-8 JSON as ``(N,)`` uint8, for an ``.npz``."""
        return np.frombuffer(json.dumps(asdict(self), ensure_ascii=True).encode(), dtype=np.uint8)

    @classmethod
    def from_array(cls, values: Array) -> Said:
        found = json.loads(values.tobytes())
        rounds = tuple(Round.from_json(one) for one in found["rounds"])
        certainty = {str(name): float(value) for name, value in found["certainty"].items()}
        return cls(str(found["model"]), rounds, certainty)
