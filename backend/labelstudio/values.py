"""Which values of a message can be kept? Numbers that a database can hold, text that can be written, a sane shape.

A request is refused for them while its sender listens. What is read later, from Label Studio's own lists or from
stored events, is kept as far as it goes: a person's correction is not lost for half a character in a note.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from stvg_core.errors import StvgError

LARGEST_ID = 2**63 - 1
MAX_DEPTH = 100
MAX_KEYS = 10_000
"""Of one object: an interface reads a handful."""
MAX_FRAMES = 250_000
"""Of a video that was never probed, and of one box: more than two hours at 30 frames per second. The number comes from
outside, and a tube holds a box for every frame."""
_LARGEST = 1e9
"""Frames, percents and seconds are far below."""
_LOOKED_AT = (str, float, dict, list)
_Trail = tuple[Any, str | int] | None
"""The way to a value: the way to what holds it, and the key there."""
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")


class PayloadError(StvgError):
    """A message between Label Studio and this service is malformed; the text says which field and why."""


def check_body(body: object, at: Sequence[str | int] = ()) -> None:
    """Refuse a decoded request, or the part of one ``at`` which it is, that could not be kept as it is.

    Raises PayloadError, which names the place.

    Objects nested deeper than ``MAX_DEPTH`` or with more than ``MAX_KEYS`` keys, half characters (lone surrogates),
    NUL characters, and numbers that are not finite.
    """
    outer: _Trail = None
    for step in at:
        outer = outer, step
    waiting: list[tuple[object, int, _Trail]] = [(body, len(at), outer)]
    while waiting:
        value, depth, trail = waiting.pop()
        if isinstance(value, str):
            _check_text(value, trail)
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise PayloadError(f"The body has a number that is not finite{_at(trail)}.")
        elif isinstance(value, (dict, list)):
            if depth >= MAX_DEPTH:
                raise PayloadError(f"The body is nested deeper than {MAX_DEPTH} levels.")
            if isinstance(value, dict):
                _check_keys(value, trail)
            inner = value.items() if isinstance(value, dict) else enumerate(value)
            waiting += [(entry, depth + 1, (trail, key)) for key, entry in inner if isinstance(entry, _LOOKED_AT)]


def storable(value: Any, depth: int = 0) -> Any:
    """A copy with U+FFFD for NUL and half characters, None for numbers that are not finite.

    Raises:
        PayloadError: nested too deeply, or too many keys.
    """
    if isinstance(value, str):
        return _UNWRITABLE.sub("\ufffd", value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (dict, list)):
        if depth >= MAX_DEPTH:
            raise PayloadError(f"The data are nested deeper than {MAX_DEPTH} levels.")
        if isinstance(value, list):
            return [storable(entry, depth + 1) for entry in value]
        if len(value) > MAX_KEYS:
            raise PayloadError(f"An object has {len(value)} keys; more than {MAX_KEYS} are not kept.")
        return {_UNWRITABLE.sub("\ufffd", str(key)): storable(entry, depth + 1) for key, entry in value.items()}
    return value


def kept(value: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """As :func:`storable`, without what it refuses.

    Of an object with too many keys the first ones stay, of one that is nested too deeply what lies above.
    """
    found: dict[str, Any] = {}
    for key, entry in islice(value.items(), MAX_KEYS):
        try:
            found[_UNWRITABLE.sub("\ufffd", key)] = storable(entry, depth + 1)
        except PayloadError:
            if isinstance(entry, dict) and depth + 1 < MAX_DEPTH:
                found[_UNWRITABLE.sub("\ufffd", key)] = kept(entry, depth + 1)
    return found


def number_of(value: object, what: str) -> int:
    """One of Label Studio's numbers: a whole one that a database can hold. Raises PayloadError."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise PayloadError(f"{what} must be a whole number, as Label Studio gives them.")
    if not 0 <= value <= LARGEST_ID:
        raise PayloadError(f"{what} is a number that Label Studio cannot have given.")
    return value


def number_or_none(value: object, what: str) -> int | None:
    """The same, None where there is none. Raises PayloadError."""
    return None if value is None else number_of(value, what)


def check_regions(result: object, what: str, *, labels: bool = True) -> list[dict[str, Any]]:
    """A list of regions whose shape and numbers can be read; raises PayloadError.

    Whether they mean something is another question: a keyframe without numbers is left out when it is read.
    """
    if not isinstance(result, list) or not all(isinstance(region, dict) for region in result):
        raise PayloadError(f'The "result" of {what} must be a list of regions.')
    for region in result:
        value = region.get("value")
        if value is not None and not isinstance(value, dict):
            raise PayloadError(f'The "value" of a region of {what} must be an object.')
        for name in ("sequence", "ranges"):
            entries = (value or {}).get(name)
            if entries is None:
                continue
            if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                raise PayloadError(f'"{name}" of a region of {what} must be a list of objects.')
            _check_frames(entries, what)
        for name in ("labels", "timelinelabels", "choices") if labels else ():
            if not isinstance((value or {}).get(name) or [], list):
                raise PayloadError(f'"{name}" of a region of {what} must be a list.')
    return result


def counted_frames(result: Sequence[Mapping[str, Any]]) -> int:
    """How many frames the regions say that the video has, for one that was never probed; 0 where they say nothing.

    A count above ``MAX_FRAMES`` is not believed: then the last keyframe is taken for the last frame, so that a box
    without an end ends there.
    """
    counts, last = [0], 0
    for region in result:
        value = region.get("value")
        if not isinstance(value, Mapping):
            continue
        count = value.get("framesCount")
        if isinstance(count, int) and not isinstance(count, bool):
            counts.append(count)
        for entry in value.get("sequence") or []:
            frame = entry.get("frame") if isinstance(entry, Mapping) else None
            if isinstance(frame, (int, float)) and not isinstance(frame, bool) and abs(frame) <= _LARGEST:
                last = max(last, round(frame))
    return max(counts) if max(counts) <= MAX_FRAMES else last


def _check_frames(entries: list[dict[str, Any]], what: str) -> None:
    frames = []
    for entry in entries:
        for name, value in entry.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool) and not abs(value) <= _LARGEST:
                raise PayloadError(f'"{name}" of a region of {what} is a number that no video has.')
            if name == "frame" and isinstance(value, (int, float)):
                frames.append(value)
    if frames and max(frames) - min(frames) > MAX_FRAMES:
        raise PayloadError(f"A box of {what} spans more than {MAX_FRAMES} frames, which is not read.")


def _check_text(text: str, trail: _Trail) -> None:
    found = _UNWRITABLE.search(text)
    if found is not None:
        name = "a NUL character" if found[0] == "\x00" else "half a character (a lone surrogate)"
        raise PayloadError(f"The body has {name} in its text{_at(trail)}, which no database can keep.")


def _check_keys(value: dict[Any, Any], trail: _Trail) -> None:
    if len(value) > MAX_KEYS:
        raise PayloadError(
            f"An object of the body has {len(value)} keys{_at(trail)}; more than {MAX_KEYS} are too many."
        )
    for key in value:
        _check_text(key, trail)


def _at(trail: _Trail) -> str:
    """Where a value stands: ``tasks[3].data.query``."""
    steps: list[str] = []
    while trail is not None:
        trail, key = trail
        steps.append(f"[{key}]" if isinstance(key, int) else f".{key}")
    return f" (at {''.join(reversed(steps)).lstrip('.')[:200]})" if steps else ""
