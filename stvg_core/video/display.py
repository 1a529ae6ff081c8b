"""Which way up does a player show the decoded pictures?

A file may ask to turn, mirror or transpose its pictures: an mp4 in its track header, others beside the stream, H.264
and HEVC in a message with the pictures. FFmpeg gives all of them as one matrix with each decoded picture. A player maps
the pixel ``(x, y)`` to ``(a x + c y, b x + d y)``. Of these maps, the eight that take the picture's rectangle to a
rectangle are followed; any common scale is ignored. A picture that leans by less than one degree counts as upright, as
FFmpeg's own player takes it. Everything else (sheared, at an odd angle, in perspective) is refused.

Pixels need not be square. Players then stretch the picture; decoders, ours as well as those of the tools that read our
exports, do not. So width, height and every box in pixels are those of the stored pixels, upright and not stretched, and
the probe says so in a sentence. Normalised boxes are the same in both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.sidedata.sidedata import Type

from stvg_core.errors import VideoError
from stvg_core.tube import Array
from stvg_core.video.container import Limits, decode_pictures, open_container, undecodable

_LEAN = math.sin(math.radians(1))
_REFUSED = (
    "{name} asks players to {what} its pictures, and boxes on such pictures are not upright. Convert it so that the "
    "pictures are stored as they are shown."
)


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay a picture: first transposed (rows become columns), then mirrored.

    Attributes:
        transpose: swap rows and columns.
        mirror_x: left becomes right, after transposing.
        mirror_y: top becomes bottom, after transposing.
    """

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    def size(self, width: int, height: int) -> tuple[int, int]:
        """``(width, height)`` as shown of a picture stored with this size, and the other way round."""
        return (height, width) if self.transpose else (width, height)

    def lay(self, picture: Array) -> Array:
        """``(H, W, C)`` as stored -> as shown."""
        out = picture.swapaxes(0, 1) if self.transpose else picture
        out = out[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]
        return np.ascontiguousarray(out)


STORED = Orientation()
"""Shown as stored."""


def orientation_of(frame: Any, name: str) -> Orientation:
    """How a decoded picture is shown.

    Args:
        frame: PyAV's.
        name: the file's, for the message.

    Raises:
        VideoError: its matrix is none of the eight.
    """
    # Where container and pictures both ask for something, the container's comes first; that is what browsers follow.
    found = next((data for data in frame.side_data if data.type == Type.DISPLAYMATRIX), None)
    if found is None:
        return STORED
    # Nine native int32: a, b, u, c, d, v, x, y in 16.16 and w in 2.30; u and v in 2.30.
    return orientation_of_matrix(np.frombuffer(bytes(found), dtype=np.int32).tolist(), name)


@lru_cache(maxsize=64)
def _of_numbers(numbers: tuple[int, ...], name: str) -> Orientation:
    a, b, u, c, d, v = (float(value) for value in numbers[:6])
    if not any((a, b, c, d)):
        return STORED  # some writers leave the matrix empty; players show such pictures as stored
    if max(abs(u), abs(v)) > _LEAN * 2**30:
        raise VideoError(_REFUSED.format(name=name, what="distort"))
    # Each side of the picture must stay within a degree of where it belongs.
    if abs(b) <= _LEAN * abs(a) and abs(c) <= _LEAN * abs(d) and a and d:
        return Orientation(False, a < 0, d < 0)
    if abs(a) <= _LEAN * abs(b) and abs(d) <= _LEAN * abs(c) and b and c:
        return Orientation(True, c < 0, b < 0)
    shear = abs(a * c + b * d) > _LEAN * math.hypot(a, b) * math.hypot(c, d) or a * d == b * c
    raise VideoError(_REFUSED.format(name=name, what="shear" if shear else "turn by an odd angle"))


def orientation_of_matrix(matrix: list[int], name: str) -> Orientation:
    """The orientation that nine numbers ``a, b, u, c, d, v, x, y, w`` ask for; raises VideoError for other maps."""
    if len(matrix) != 9:
        raise VideoError(f"{name} has a display matrix that cannot be read. Convert it to H.264 mp4.")
    return _of_numbers(tuple(matrix), name)


@dataclass(frozen=True)
class Shown:
    """What a file's first decoded picture says of all of them.

    Attributes:
        orientation: how every picture is laid.
        width, height: upright, in stored pixels.
        pixel_aspect: a pixel's width over its height as shown; 1 for square pixels and where the file does not say.
        stream: the stream's index in the container.
        streams: how many video streams the container has.
        by_message: the orientation stands only in a message with the pictures, which browsers do not read.
    """

    orientation: Orientation
    width: int
    height: int
    pixel_aspect: Fraction
    stream: int
    streams: int
    by_message: bool = False

    @property
    def plain(self) -> bool:
        """True where a reader that knows nothing of orientations and takes the only video track shows the same."""
        return self.orientation == STORED and self.streams == 1


def read_shown(path: Path, limits: Limits) -> Shown:
    """How a file's pictures are shown, remembered until the file changes.

    Raises:
        VideoError: no picture can be decoded, or its matrix cannot be followed.
    """
    stat = path.stat() if path.exists() else None
    return _read_shown(path, limits, (stat.st_mtime_ns, stat.st_size) if stat else None)


@lru_cache(maxsize=16)
def _read_shown(path: Path, limits: Limits, _version: tuple[int, int] | None) -> Shown:
    container, stream = open_container(path, limits)
    with container:
        for frame in decode_pictures(container, stream):
            orientation = orientation_of(frame, path.name)
            width, height = orientation.size(frame.width, frame.height)
            return Shown(
                orientation,
                width,
                height,
                _pixel_aspect(stream, orientation),
                stream.index,
                len(container.streams.video),
                by_message=orientation != STORED and not _container_asks(path, frame, limits),
            )
    raise undecodable(path)


def _pixel_aspect(stream: Any, orientation: Orientation) -> Fraction:
    aspect = Fraction(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1)
    if aspect <= 0:
        return Fraction(1)
    return 1 / aspect if orientation.transpose else aspect


def _container_asks(path: Path, frame: Any, limits: Limits) -> bool:
    """Is one of the picture's matrices the container's? A decoder that does not know the container gives the others."""
    given = sum(data.type == Type.DISPLAYMATRIX for data in frame.side_data)
    container, stream = open_container(path, limits)
    with container:
        context = av.CodecContext.create(stream.codec_context.codec.name, "r")
        context.extradata = stream.codec_context.extradata
        context.options = stream.codec_context.options
        try:
            for packet in container.demux(stream):
                for bare in context.decode(packet if packet.size else None):
                    return bool(sum(data.type == Type.DISPLAYMATRIX for data in bare.side_data) < given)
        except av.error.FFmpegError:
            return True
    return True
