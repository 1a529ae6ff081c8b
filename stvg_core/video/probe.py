"""What is in this file, and can it be used at all?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stvg_core.tube import VideoInfo
from stvg_core.video import rates
from stvg_core.video.container import Limits, check_size, open_container, track_warning
from stvg_core.video.display import Shown, read_shown
from stvg_core.video.timeline import read_timeline
from stvg_core.video.wholeness import END_MISSING, end_is_missing


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
        claimed = [stream.average_rate, stream.guessed_rate, stream.base_rate]
    shown = read_shown(path, limits)
    check_size(path, shown.width, shown.height, limits)
    damaged = list(timeline.warnings)
    if END_MISSING not in damaged and end_is_missing(path, limits):
        damaged.append(END_MISSING)
    rate, steady, warnings = rates.frame_rate(timeline, claimed)
    n = len(timeline.pts)
    times = None if steady else timeline.seconds
    duration = n / float(rate) if times is None else float(times[-1]) + (timeline.last_s or float(1 / rate))
    return VideoInfo(
        path=str(path), width=shown.width, height=shown.height, fps_num=rate.numerator, fps_den=rate.denominator,
        n_frames=n, duration_s=duration, variable_rate=not steady,
        warnings=(*damaged, *warnings, *_shown_warnings(path, shown)),
        times=times,
    )  # fmt: skip


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
