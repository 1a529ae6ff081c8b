"""Random video files whose pictures carry their number, made from a seed.

A file is made in two steps: encode (codec, container, groups of pictures, B-frames, forced key frames, rate, offset),
then change the container (edit lists, a copy that begins late, recordings joined, fragments). What is shown is known
in two ways: from the making (``Made.numbers``, where it can be said), and by decoding the whole file in order with
plain PyAV (:func:`decoded_in_order`), which is what players do.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.video.boxes import EDIT_TICKS, set_edit_list
from tests.video.recipes import Recipe

WIDTH, HEIGHT, COLUMNS, ROWS = 128, 64, 4, 2
BITS = COLUMNS * ROWS
_MACROBLOCK = 16


@dataclass(frozen=True)
class Made:
    """A file, and the numbers of the pictures that a player shows; None where only decoding can tell."""

    path: Path
    recipe: Recipe
    numbers: list[int] | None


def make(recipe: Recipe, folder: Path) -> Made:
    """Write the recipe's file."""
    path = folder / f"{recipe.seed}{recipe.ending}"
    _encode(recipe, path)
    numbers: list[int] | None = list(range(recipe.count))
    rng = random.Random(recipe.seed + 1)
    if recipe.change in ("edit", "edits"):
        numbers = _edit(path, recipe, rng)
    elif recipe.change == "late":
        numbers = None if _copy_late(path, rng) else numbers
    elif recipe.change == "joined":
        data = path.read_bytes()
        path.write_bytes(data + data)
        numbers = None
    return Made(path, recipe, numbers)


def painted(number: int) -> np.ndarray:
    """``(64, 128, 3)`` uint8: eight cells, one per bit."""
    cells = np.array([number >> bit & 1 for bit in range(BITS)]).reshape(ROWS, COLUMNS)
    grey = (cells * 200 + 25).astype(np.uint8).repeat(HEIGHT // ROWS, 0).repeat(WIDTH // COLUMNS, 1)
    return grey[..., None].repeat(3, 2)


def read_number(picture: np.ndarray) -> int:
    """The number painted on a picture of any size."""
    height, width = picture.shape[:2]
    ys = ((np.arange(ROWS) + 0.5) * height / ROWS).astype(int)
    xs = ((np.arange(COLUMNS) + 0.5) * width / COLUMNS).astype(int)
    middle = picture[ys][:, xs].mean(axis=2).ravel()
    return sum(1 << bit for bit in range(BITS) if middle[bit] > 125)


def decoded_in_order(path: Path) -> list[np.ndarray]:
    """Every picture of the file as plain PyAV gives it from the start to the end, in one thread."""
    pictures = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "NONE", 1
        begun = False
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                if not begun:  # a decoder may keep what it could not decode, and refuse all that comes after
                    stream.codec_context.flush_buffers()
                continue
            begun = True
            pictures += [frame.to_ndarray(format="rgb24", width=WIDTH, height=HEIGHT) for frame in frames]
    return pictures


def _times(recipe: Recipe) -> tuple[Sequence[int], Fraction]:
    if recipe.uneven is None:
        return range(recipe.offset, recipe.offset + recipe.count), 1 / recipe.rate
    steps = np.random.default_rng(recipe.uneven).integers(20, 120, recipe.count)
    return [int(t) for t in np.cumsum(steps) + 40 * recipe.offset], Fraction(1, 1000)


def _encode(recipe: Recipe, path: Path) -> None:
    times, clock = _times(recipe)
    container_format = {".mpg": "mpeg", ".wmv": "asf"}.get(recipe.ending)
    with av.open(str(path), "w", format=container_format, options=recipe.mux) as container:
        stream = container.add_stream(recipe.codec, rate=recipe.rate)
        stream.width, stream.height = WIDTH, HEIGHT
        stream.pix_fmt = "yuvj420p" if recipe.codec == "mjpeg" else "yuv420p"
        context: Any = stream.codec_context
        context.gop_size, context.max_b_frames = recipe.gop, recipe.b_frames
        stream.options = recipe.options
        if recipe.uneven is not None:
            stream.time_base = context.time_base = clock
        for number in range(recipe.count):
            frame = av.VideoFrame.from_ndarray(painted(number), format="rgb24")
            if recipe.codec == "mjpeg":
                frame = frame.reformat(format="yuvj420p")
            frame.pts, frame.time_base = times[number], clock
            if number in recipe.forced:
                frame.pict_type = av.video.frame.PictureType.I
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _copy_late(path: Path, rng: random.Random) -> bool:
    """Take away the file's first packets, as a recorder that was switched on late leaves it; False where that fails.

    FFmpeg refuses to write decoding times that go back. In MPEG-PS it finds such times, in Matroska it makes them up.
    Then the copy begins elsewhere; where every beginning is refused, the file stays as it was.
    """
    whole = path.with_name(f"whole-{path.name}")
    path.replace(whole)
    with av.open(str(whole)) as source:
        stream = source.streams.video[0]
        packets = [packet for packet in source.demux(stream) if packet.size]
        keys = [n for n, packet in enumerate(packets) if packet.is_keyframe]
        # mp4 has to begin with a key frame for FFmpeg to write it; the others may begin anywhere before the last one.
        late = keys if path.suffix in (".mp4", ".mov") else range(keys[-1] + 1)
        begins = [n for n in late if n <= max(0, len(packets) - 12)]
        while begins:
            start = begins.pop(rng.randrange(len(begins)))
            if _can_be_copied(path, stream, packets[start:]):
                whole.unlink()
                return True
    whole.replace(path)
    return False


def _can_be_copied(path: Path, source: Any, packets: list[Any]) -> bool:
    """Write the packets to a new file; False where FFmpeg does not write one of them."""
    with av.open(str(path), "w", format="mpeg" if path.suffix == ".mpg" else None) as out:
        stream = out.add_stream_from_template(source)
        for packet in packets:
            packet.stream = stream
            try:
                out.mux(packet)
            except av.error.ArgumentError:
                return False
    return True


def _edit(path: Path, recipe: Recipe, rng: random.Random) -> list[int] | None:
    """Give an mp4 one or several edits, each a range of pictures that may begin within a group of pictures."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        shown = sorted((packet.pts, packet.duration) for packet in packets)
        a_tick = math.ceil(1 / (EDIT_TICKS * packets[0].time_base))
    first_time, last_time = shown[0][0], shown[-1][0]
    # The last picture may last for less than an edit list can say. It would end where that picture begins.
    times = [time - first_time for time, _ in shown] + [last_time - first_time + max(a_tick, shown[-1][1])]
    ranges, at = [], 0
    for _ in range(1 if recipe.change == "edit" else rng.choice([2, 3])):
        if at >= recipe.count:
            break
        start = rng.randrange(at, recipe.count)
        end = rng.randrange(start, recipe.count) + 1
        ranges.append((start, end))
        at = end
    if not set_edit_list(path, [(times[a], times[b] - times[a]) for a, b in ranges]):
        return list(range(recipe.count))
    if recipe.refreshes and len(ranges) == 1:
        ((start, end),) = ranges
        whole_from = _whole_from(packets, start, recipe)
        return None if whole_from is None else list(range(max(start, whole_from), end))
    return [number for a, b in ranges for number in range(a, b)]


def _whole_from(packets: list[Any], start: int, recipe: Recipe) -> int | None:
    """The first picture that players show of a file with gradual refresh and no B-frames, read from ``start`` on.

    They decode from the last packet before that is marked as a key frame. Where it is no IDR, x264 renews the width
    part by part from there on, and FFmpeg and Chromium show nothing before the end of that, as the stream announces it.

    Returns:
        None where x264 may announce the end too early, as more than a macroblock is renewed at a time: then players
        show broken pictures as well.
    """
    columns = WIDTH // _MACROBLOCK
    begins = max(n for n in range(start + 1) if packets[n].is_keyframe)
    renewed = begins + min(columns - 1, recipe.key_interval) - 1
    shown_at_once = next((n for n in range(begins, min(renewed, len(packets))) if _is_idr(bytes(packets[n]))), None)
    if shown_at_once is not None:
        return shown_at_once
    return renewed if recipe.key_interval >= columns - 1 else None


def _is_idr(packet: bytes) -> bool:
    """Whether an H.264 packet, as mp4 stores it, has an IDR picture (ITU-T H.264, table 7-1)."""
    at = 0
    while at + 4 < len(packet):
        if packet[at + 4] & 31 == 5:
            return True
        at += 4 + int.from_bytes(packet[at : at + 4], "big")
    return False
