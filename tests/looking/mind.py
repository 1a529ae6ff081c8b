"""What is thought of a request: which question it is, what the pictures show, and the plain facts of the answer."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from tests.looking import digits, eyes

SHARE = 20 / 336


@dataclass(frozen=True)
class Seen:
    """A request, taken apart: pictures with their times, and the words after them."""

    pictures: list[np.ndarray]
    times: np.ndarray
    words: str

    @property
    def sentence(self) -> str:
        found = re.findall(r'^Sentence: (".*")$', self.words, re.MULTILINE)
        return str(json.loads(found[-1]))

    @property
    def size(self) -> tuple[int, int]:
        return self.pictures[0].shape[1], self.pictures[0].shape[0]


@dataclass
class Facts:
    """What is known of the answer; None where it was not asked for.

    Attributes:
        boxes: picture (from 0) and ``x1, y1, x2, y2`` in pixels.
        sorted: numbers by true, false, unknown.
        moment: the one time that was asked for, under its name.
    """

    number: int | None = None
    span: tuple[float, float] | None = None
    boxes: list[tuple[int, np.ndarray]] | None = None
    sorted: dict[str, list[int]] | None = None
    moment: tuple[str, float] | None = None
    seen: Seen | None = field(default=None, repr=False)


def take_apart(body: dict[str, Any]) -> Seen:
    """The pictures and words of a chat completion request."""
    pictures, times, words = [], [], []
    for part in body["messages"][-1]["content"]:
        if part["type"] == "image_url":
            data = part["image_url"]["url"].partition("base64,")[2]
            pictures.append(np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")))
        elif (caption := re.fullmatch(r"Picture \d+, ([\d.]+) s:", part["text"])) is not None:
            times.append(float(caption[1]))
        else:
            words.append(part["text"])
    assert len(times) == len(pictures), "a caption before each picture"
    return Seen(pictures, np.array(times), "\n".join(words))


def think(seen: Seen) -> Facts:
    """Look at the pictures for what the words ask."""
    wanted, facts = eyes.understand(seen.sentence), Facts(seen=seen)
    which = re.search(r'form and nothing else: \{"(start|end)": [\d.]+\}$', seen.words, re.MULTILINE)
    if which is not None:
        facts.moment = which[1], _moment(seen, wanted, which[1])
        return facts
    trace, facts.span = _best(seen, wanted)
    inside = [n for n, picture in enumerate(trace.pictures) if facts.span[0] <= seen.times[picture] <= facts.span[1]]
    if '"boxes"' in seen.words:
        some = sorted({inside[len(inside) * part // 6] for part in (1, 3, 5)}) if inside else [0]
        facts.boxes = [(trace.pictures[n], trace.blobs[n].box) for n in some]
    if "Red digits" in seen.words:
        facts.number, every = _number(seen, trace)
        asked = re.search(r"Sort the numbers ([\d, ]+):", seen.words)
        if asked is not None:
            numbers = [int(one) for one in asked[1].split(",")]
            facts.sorted = {
                "true": [one for one in numbers if one == facts.number],
                "false": [one for one in numbers if one != facts.number and one in every],
                "unknown": [one for one in numbers if one not in every],
            }
    return facts


def _best(seen: Seen, wanted: eyes.Wanted) -> tuple[eyes.Trace, tuple[float, float]]:
    """The trace that looks and acts most like what is wanted, and when it acts."""
    best: tuple[float, eyes.Trace, tuple[float, float]] | None = None
    for every in eyes.traces(seen.pictures, wanted):
        trace = eyes.clear(every, wanted.action)
        times = seen.times[trace.pictures]
        if len(times) < 3:
            continue
        start, end, rise = eyes.ramp(times, eyes.measure(trace, wanted.action))
        looks = float(np.median([blob.likeness for blob in trace.blobs]))
        worth = max(rise, 0.1) * looks**6
        if best is None or worth > best[0]:
            best = worth, trace, (start, end)
    assert best is not None, "nothing of that colour is there"
    return best[1], best[2]


def _moment(seen: Seen, wanted: eyes.Wanted, which: str) -> float:
    best = -np.inf, float(seen.times.mean())
    for every in eyes.traces(seen.pictures, wanted):
        trace = eyes.clear(every, wanted.action)
        times = seen.times[trace.pictures]
        if len(times) < 4:
            continue
        at, slope = eyes.bend(times, eyes.measure(trace, wanted.action), which)
        looks = float(np.median([blob.likeness for blob in trace.blobs]))
        if slope * looks**6 > best[0]:
            best = slope * looks**6, at
    return best[1]


def _number(seen: Seen, trace: eyes.Trace) -> tuple[int | None, set[int]]:
    """The number that is most often, and nearest, at the centre of the trace's patch; and all that were seen."""
    height = max(12.0, SHARE * min(seen.size))
    votes: dict[int, float] = {}
    every: set[int] = set()
    where = dict(zip(trace.pictures, trace.blobs, strict=True))
    for number, picture in enumerate(seen.pictures):
        for one in digits.read(picture, height):
            every.add(one.number)
            blob = where.get(number)
            if blob is None:
                continue
            half = np.maximum((blob.box[2:] - blob.box[:2]) / 2, 1)
            away = float(np.abs((np.array([one.x, one.y]) - blob.centre) / half).max())
            votes[one.number] = votes.get(one.number, 0.0) + max(0.0, 1 - away)
    return (max(votes, key=lambda number: votes[number]) if votes else None), every
