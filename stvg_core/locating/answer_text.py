"""What does an answer in words say? It is read as it was asked for, or mended by the rules here, or refused.

Each rule that was needed leaves a sentence (a repair). The rules, in their order:

1. The last JSON object that has what was asked for is the answer; fences and words around it do not matter. Without
   one, numbers and times are looked for in the words, the last ones that are said (docs/locators.md has the forms).
2. Times are seconds, ``mm:ss.ff`` or ``hh:mm:ss``; "picture 4" or "frame 4" is the time of that picture.
3. Times that lie outside of the video, and are numbers of pictures, are such numbers.
4. A start after its end is swapped with it. What reaches over the video's ends is cut; what lies wholly outside is
   refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

_TIME = r"(?:\d+:)?\d{1,2}:\d{2}(?:\.\d+)?|\d+(?:\.\d+)?"
_UNIT = r"(?:frames?|pictures?)?\s*(?:number|no\.?|#)?\s*"
_SPAN = re.compile(
    rf"(?P<unit_a>{_UNIT})(?<![\d.:])(?P<a>{_TIME})\s*(?:s|secs?|seconds?)?\s*(?:-|–|—|to|until|till|and)\s*"
    rf"(?P<unit_b>{_UNIT})(?P<b>{_TIME})", re.IGNORECASE,
)  # fmt: skip
_KEYED = re.compile(
    rf"(?:start|begin)\w*[^\d:]{{0,12}}?:?\s*(?P<unit_a>{_UNIT})(?P<a>{_TIME}).{{0,80}}?(?:end|stop|finish)\w*[^\d:]"
    rf"{{0,12}}?:?\s*(?P<unit_b>{_UNIT})(?P<b>{_TIME})", re.IGNORECASE | re.DOTALL,
)  # fmt: skip
_ONE = re.compile(rf"(?P<unit>{_UNIT})(?<![\d.:])(?P<a>{_TIME})(?![\d:])", re.IGNORECASE)
_NUMBER = re.compile(r"(?:number|object|track|candidate|no\.|#)\s*(?:is|:|=)?\s*#?(\d+)", re.IGNORECASE)
_NUMBER_KEYS = ("number", "object", "id", "track")
_DIGITS = 12
_LENIENCE = 1e-6
_ROUNDED = 0.01  # the times that stand before the pictures have two decimals

IN_WORDS = "The answer was not the JSON object that was asked for; it was read in the words around."
SWAPPED = "The start was after the end: they were swapped."
CUT = "The times reached over the ends of the video: they were cut."
COUNTED = "The times were read as numbers of pictures: as seconds they lie outside of the video."


class Unreadable(ValueError):
    """The answer cannot be used; the message says why, in a sentence for the model and for a person."""


@dataclass
class Clock:
    """The times of what was shown.

    Attributes:
        shown: ``N`` seconds, of each picture.
        first, last: seconds of the first and the last moment that there is.
        repairs: what had to be mended so far.
    """

    shown: Sequence[float]
    first: float
    last: float
    repairs: list[str] = field(default_factory=list)


def objects(text: str) -> list[dict[str, Any]]:
    """All JSON objects in a text that are not inside of another, in their order."""
    decoder, found, place = json.JSONDecoder(), [], 0
    while (place := text.find("{", place)) >= 0:
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            place += 1
            continue
        found.append(value)
    return found


def last_with(text: str, *keys: str) -> dict[str, Any] | None:
    """The last object that has all the keys."""
    return next((one for one in reversed(objects(text)) if all(key in one for key in keys)), None)


def span(text: str, clock: Clock) -> tuple[float, float]:
    """Start and end in seconds.

    Raises:
        Unreadable: no two times, or none that lies in the video.
    """
    found = last_with(text, "start", "end")
    if found is not None:
        pair = _counted([_said(found["start"]), _said(found["end"])], clock)
    else:
        matches = list(_KEYED.finditer(text)) or list(_SPAN.finditer(text))
        if not matches:
            raise Unreadable("There are no start and end in it.")
        clock.repairs.append(IN_WORDS)
        one = matches[-1]
        units = [bool(re.match("frame|picture", one[name], re.IGNORECASE)) for name in ("unit_a", "unit_b")]
        pair = _counted([(_seconds(one["a"]), any(units)), (_seconds(one["b"]), any(units))], clock)
    start, end = pair
    if start > end:
        start, end = end, start
        clock.repairs.append(SWAPPED)
    if end < clock.first - _LENIENCE or start > clock.last + _LENIENCE:
        raise Unreadable(f"The times lie outside of the video, which is {clock.first:.2f} to {clock.last:.2f} s.")
    inside = max(start, clock.first), min(end, clock.last)
    if inside[0] > start + _LENIENCE or inside[1] < end - _LENIENCE:
        clock.repairs.append(CUT)
    return inside


def moment(text: str, key: str, clock: Clock) -> float:
    """One time in seconds, under its key, or the last one that is said.

    Raises:
        Unreadable: there is none between the first and the last picture.
    """
    found = last_with(text, key)
    if found is not None:
        value = _counted([_said(found[key])], clock)[0]
    else:
        matches = list(_ONE.finditer(text))
        if not matches:
            raise Unreadable(f"There is no {key} in it.")
        clock.repairs.append(IN_WORDS)
        one = matches[-1]
        unit = bool(re.match("frame|picture", one["unit"], re.IGNORECASE))
        value = _counted([(_seconds(one["a"]), unit)], clock)[0]
    if not min(clock.shown) - _ROUNDED <= value <= max(clock.shown) + _ROUNDED:
        raise Unreadable("The time is of none of the pictures.")
    return value


def number(text: str, painted: Sequence[int], repairs: list[str]) -> int:
    """A painted number, or 0 for none of them.

    Raises:
        Unreadable: there is none in it, or it is not among the painted ones.
    """
    found = next((one[key] for one in reversed(objects(text)) for key in _NUMBER_KEYS if key in one), False)
    if found is False:
        matches = _NUMBER.findall(text)
        if not matches:
            raise Unreadable("There is no number in it.")
        repairs.append(IN_WORDS)
        found = matches[-1]
    value = _whole(found)
    if value is None:
        raise Unreadable("The number is not a whole number.")
    if value and value not in painted:
        raise Unreadable(f"The number {value} was not painted; the numbers are {', '.join(map(str, painted))}.")
    return value


def sorted_numbers(text: str, asked: Sequence[int], repairs: list[str]) -> dict[str, list[int]]:
    """The numbers by "true", "false" and "unknown"; a number that the answer leaves out, or puts twice, is unknown.

    Raises:
        Unreadable: there is no object with lists of them.
    """
    found = next((one for one in reversed(objects(text)) if isinstance(one.get("true"), list)), None)
    if found is None:
        raise Unreadable('There is no object with lists under "true", "false" and "unknown" in it.')
    places: dict[int, set[str]] = {one: set() for one in asked}
    for name in ("true", "false", "unknown"):
        values = found.get(name)
        for entry in values if isinstance(values, list) else []:
            value = _whole(entry)
            if value in places:
                places[value].add(name)
            else:
                repairs.append("Numbers that were not painted were left out.")
    if any(len(names) != 1 for names in places.values()):
        repairs.append("Numbers that were left out, or sorted twice, count as unknown.")
    kept = {one: next(iter(names)) if len(names) == 1 else "unknown" for one, names in places.items()}
    return {name: [one for one in asked if kept[one] == name] for name in ("true", "false", "unknown")}


def _counted(pair: Sequence[tuple[float, bool]], clock: Clock) -> list[float]:
    """Seconds of values that are seconds, or numbers of pictures (True)."""
    values = [value for value, _ in pair]
    counted = any(of_picture for _, of_picture in pair)
    possible = all(value == int(value) and 1 <= value <= len(clock.shown) for value in values)
    if not counted and possible and min(values) > clock.last + _LENIENCE:
        clock.repairs.append(COUNTED)
        counted = True
    if not counted:
        return values
    if not possible:
        raise Unreadable(f"There are pictures 1 to {len(clock.shown)}, and no others.")
    return [float(clock.shown[int(value) - 1]) for value in values]


def _said(value: Any) -> tuple[float, bool]:
    """A JSON value as a time, and whether it names a picture. Raises Unreadable."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unreadable("A time is not a number.")
    if isinstance(value, str):
        found = re.fullmatch(rf"\s*({_UNIT})({_TIME})\s*(?:s|secs?|seconds?)?\.?\s*", value, re.IGNORECASE)
        if found is None:
            raise Unreadable("A time is not a number.")
        return _seconds(found[2]), bool(re.match("frame|picture", found[1], re.IGNORECASE))
    if not -1e9 < value < 1e9:  # NaN is not either
        raise Unreadable("A time is not a number.")
    return float(value), False


def _seconds(text: str) -> float:
    """``12.5``, ``mm:ss.ff`` or ``hh:mm:ss`` in seconds."""
    total = 0.0
    for part in text[: 2 * _DIGITS].split(":"):
        total = total * 60 + float(part)
    return total


def _whole(value: Any) -> int | None:
    """A whole number; 0 for null and "none". None where it is no whole number."""
    if value is None or (isinstance(value, str) and value.strip().lower() in ("none", "null", "")):
        return 0
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        found = re.fullmatch(r"\s*#?(\d{1,9})\s*", value)
        return None if found is None else int(found[1])
    if isinstance(value, int | float) and -1e9 < value < 1e9 and value == int(value):
        return int(value)
    return None


def each_box(text: str, n_pictures: int) -> Iterator[tuple[int, list[float]]]:
    """Boxes with the picture they are in, from 0: four numbers as they were said."""
    for one in reversed(objects(text)):
        entries = next((one[key] for key in ("boxes", "box", "bbox_2d", "bboxes") if key in one), None)
        if entries is None:
            continue
        if isinstance(entries, dict):
            entries = [{"picture": key, "box": value} for key, value in entries.items()]
        if isinstance(entries, list) and len(entries) == 4 and not any(isinstance(v, list | dict) for v in entries):
            entries = [one | {"box": entries}]
        for entry in entries if isinstance(entries, list) else []:
            if not isinstance(entry, dict):
                continue
            box = next((entry[key] for key in ("box", "bbox_2d", "bbox") if key in entry), None)
            place = _whole(next((entry[key] for key in ("picture", "frame") if key in entry), -1))
            if place is None or not 1 <= place <= n_pictures or not isinstance(box, list) or len(box) != 4:
                continue
            if all(isinstance(v, int | float) and not isinstance(v, bool) and -1e6 < v < 1e6 for v in box):
                yield place - 1, [float(v) for v in box]
        return
