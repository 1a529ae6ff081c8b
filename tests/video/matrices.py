"""Files that ask players to turn, mirror or stretch their pictures."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.video.painted import HEIGHT, WIDTH, painted

ONE = 1 << 16


def matrix(a: float, b: float, c: float, d: float) -> list[int]:
    """The nine numbers of the map ``(x, y) -> (a x + c y, b x + d y)``."""
    return [round(a * ONE), round(b * ONE), 0, round(c * ONE), round(d * ONE), 0, 0, 0, 1 << 30]


def write_laid(path: Path, nine: Sequence[int], n_frames: int = 6) -> Path:
    """Painted pictures in an mp4 or mov; its track header is given these nine numbers, whatever they are."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"preset": "ultrafast", "threads": "1"}
        for number in range(n_frames):
            frame = av.VideoFrame.from_ndarray(painted(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4
    at += 52 if data[at] == 1 else 40  # version 1 has 64-bit times
    data[at : at + 36] = struct.pack(">9i", *nine)
    path.write_bytes(data)
    return path


def orientation_message(*, turn: int = 0, mirror_x: bool = False) -> bytes:
    """An H.264 SEI unit (ITU-T H.264, D.1.27): mirror, then turn anticlockwise by so many degrees."""
    bits = f"0{mirror_x:d}0{round(turn / 360 * 2**16):016b}" + "010" + "0" + "1"  # repeated, no extension, alignment
    return bytes([6, 47, 3]) + int(bits, 2).to_bytes(3, "big") + b"\x80"


def write_with_messages(path: Path, messages: Sequence[bytes]) -> Path:
    """H.264 in mp4 or MPEG-TS whose picture i carries ``messages[i]``; every picture is a key frame."""
    plain = path.with_name(f"{path.name}.plain.mp4")
    with av.open(str(plain), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 1, 0
        stream.options = {"preset": "ultrafast", "threads": "1"}
        for number in range(len(messages)):
            frame = av.VideoFrame.from_ndarray(painted(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(str(plain)) as inner, av.open(str(path), "w") as out:
        source = inner.streams.video[0]
        stream = out.add_stream_from_template(source)
        packets = [packet for packet in inner.demux(source) if packet.dts is not None]
        for message, packet in zip(messages, packets, strict=True):
            changed = av.Packet(struct.pack(">I", len(message)) + message + bytes(packet))
            changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
            changed.is_keyframe, changed.stream = True, stream
            out.mux(changed)
    return path


def remuxed(source: Path, path: Path, nine: Sequence[int] | None = None) -> Path:
    """The same packets in another container, with a display matrix of its own."""
    with av.open(str(source)) as inner, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(inner.streams.video[0])
        if nine is not None:
            stream.set_display_matrix(list(nine))
        for packet in inner.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return path


def mapped(picture: np.ndarray, a: int, b: int, c: int, d: int) -> np.ndarray:
    """What a player shows, pixel by pixel from the map itself: slow and plain. Only for a, b, c, d in -1, 0, 1."""
    height, width = picture.shape[:2]
    ys, xs = np.mgrid[:height, :width]
    to_x, to_y = a * xs + c * ys, b * xs + d * ys
    to_x, to_y = to_x - to_x.min(), to_y - to_y.min()
    out = np.zeros((to_y.max() + 1, to_x.max() + 1, 3), dtype=picture.dtype)
    out[to_y, to_x] = picture
    return out
