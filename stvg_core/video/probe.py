"""What is in this file, and can it be used at all?"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from stvg_core.tube import VideoInfo
from stvg_core.video.container import Limits, check_size, open_container, track_warning
from stvg_core.video.display import Shown, read_shown
from stvg_core.video.timeline import Timeline, read_timeline
from stvg_core.video.wholeness import END_MISSING, end_is_missing

_ASSUMED_FPS = Fraction(25)


def probe(path: str | Path, limits: Limits | None = None) -> VideoInfo:
    """Check a local file and describe it; decodes one picture and the last group of pictures, whatever the length.

    Raises:
        VideoError: with one or two sentences on what is wrong and what to do: missing, empty, not a video, a playlist,
            sound only, cut off, not decodable, too large or too long.
    """
    path, limits = Path(path), limits or Limits()
    timeline = read_timeline(path, limits)
    container, stream = open_container(path, limits)
    with container:
        rates = [stream.average_rate, stream.guessed_rate, stream.base_rate]
    shown = read_shown(path, limits)
    check_size(path, shown.width, shown.height, limits)
    damaged = list(timeline.warnings)
    if END_MISSING not in damaged and end_is_missing(path, limits):
        damaged.append(END_MISSING)
    rate, steady, warnings = frame_rate(timeline, [Fraction(r) for r in rates if r])
    n = len(timeline.pts)
    duration = n / float(rate) if steady else float(timeline.seconds[-1]) + (timeline.last_s or float(1 / rate))
    return VideoInfo(
        path=str(path), width=shown.width, height=shown.height, fps_num=rate.numerator, fps_den=rate.denominator,
        n_frames=n, duration_s=duration, variable_rate=not steady,
        warnings=(*damaged, *warnings, *_shown_warnings(path, shown)),
        times=None if steady else timeline.seconds,
    )  # fmt: skip


def frame_rate(timeline: Timeline, claimed: list[Fraction]) -> tuple[Fraction, bool, list[str]]:
    """The rate, whether the pictures are evenly spaced at it, and sentences for a person.

    A header's claim counts only if every timestamp agrees with it (within the rounding of the file's clock); otherwise
    the average over the timestamps does.
    """
    n = len(timeline.pts)
    usable = [r for r in claimed if 0 < r <= 1000]
    if timeline.ordinal or n == 1:
        if usable:
            return usable[0], True, []
        if timeline.last_s > 0:
            return Fraction(1 / timeline.last_s).limit_denominator(1001), True, []
        return _ASSUMED_FPS, True, [f"The file does not say its frame rate; {_ASSUMED_FPS} per second is assumed."]
    seconds = timeline.seconds
    average = Fraction((n - 1) / float(seconds[-1])).limit_denominator(1001)
    ntsc = Fraction(round(average) * 1000, 1001)
    order = np.arange(n)
    for rate in [*usable, Fraction(round(average)), ntsc, average]:
        # Clock rounding is at most one tick either way; half a frame would be another frame.
        slack = min(1.01 * timeline.tick_s + 1e-6, 0.45 / float(rate)) if rate > 0 else 0.0
        if rate > 0 and np.abs(seconds - order / float(rate)).max() <= slack:
            return rate, True, []
    return max(average, Fraction(1, 1001)), False, []


def _shown_warnings(path: Path, shown: Shown) -> Iterator[str]:
    """What of the picture another tool may show differently."""
    several = track_warning(path) if shown.streams > 1 else None
    if several:
        yield several
    if shown.by_message:
        yield (
            "A message inside the video says how to turn or mirror its pictures. It is followed here, but browsers do "
            "not read it: Label Studio shows the pictures as they are stored. Label an H.264 copy instead (stvg "
            "connect --transcode)."
        )
    if shown.pixel_aspect != 1:
        aspect = shown.pixel_aspect
        # Browsers enlarge the side that has to grow and leave the other one.
        wide, high = (round(shown.width * aspect), shown.height) if aspect > 1 else (
            shown.width, round(shown.height / aspect)
        )  # fmt: skip
        yield (
            f"The pixels are not square ({aspect.numerator}:{aspect.denominator}): players stretch the picture to "
            f"{wide} x {high}. Boxes in pixels are those of the stored {shown.width} x {shown.height}."
        )
