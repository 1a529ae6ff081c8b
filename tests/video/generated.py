"""Random video files whose pictures carry their number, made from a seed.

A file is made in two steps: encode (codec, container, groups of pictures, B-frames, forced key frames, rate, offset),
then change the container (edit lists, a copy that begins late, recordings joined, fragments). What is shown is known
in two ways: from the making (``Made.numbers``, where it can be said), and by decoding the whole file in order with
plain PyAV (:func:`decoded_in_order`), which is what players do.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.video.boxes import set_edit_list

WIDTH, HEIGHT, COLUMNS, ROWS = 128, 64, 4, 2
BITS = COLUMNS * ROWS

RATES = [Fraction(25), Fraction(30), Fraction(30000, 1001), Fraction(10), Fraction(24000, 1001)]


@dataclass(frozen=True)
class Recipe:
    """How one file is made.

    Attributes:
        ending: of the file's name; it chooses the container.
        options: of the encoder.
        mux: options of the container's writer.
        forced: pictures that are made key frames.
        offset: ticks (frames) that the first picture is late.
        uneven: seed of uneven times, None for even ones.
        change: what is done to the finished file: "", "late" (a copy without the first packets), "edit" (an edit list),
            "edits" (several), "joined" (the file twice, one after the other).
    """

    codec: str
    ending: str
    count: int
    gop: int
    b_frames: int = 0
    options: dict[str, str] = field(default_factory=dict)
    mux: dict[str, str] = field(default_factory=dict)
    forced: tuple[int, ...] = ()
    rate: Fraction = Fraction(25)
    offset: int = 0
    uneven: int | None = None
    change: str = ""
    seed: int = 0


@dataclass(frozen=True)
class Made:
    """A file, and the numbers of the pictures that a player shows; None where only decoding can tell."""

    path: Path
    recipe: Recipe
    numbers: list[int] | None


def recipe(seed: int) -> Recipe:
    """The seed's recipe."""
    rng = random.Random(seed)
    codec, endings = rng.choice(_CODECS)
    ending = rng.choice(endings)
    count, gop = rng.choice([1, 2, 3, 17, 33, 48, 60]), rng.choice([1, 2, 5, 9, 12, 25, 250])
    b_frames = (
        rng.choice([0, 0, 1, 2, 3]) if codec in ("libx264", "libx265", "mpeg4", "mpeg2video", "mpeg1video") else 0
    )
    if codec in ("mpeg2video", "mpeg1video"):
        b_frames = min(b_frames, 2)
    options = _encoder(rng, codec, gop, b_frames)
    mux: dict[str, str] = {}
    change = ""
    if ending in (".mp4", ".mov"):
        kind = rng.choice(["plain", "plain", "front", "fragments", "every", "no edit list", "negative"])
        mux = {"plain": {}, "front": {"movflags": "+faststart"},
               "fragments": {"movflags": "+frag_keyframe+empty_moov"},
               "every": {"movflags": "+frag_every_frame+empty_moov+default_base_moof"},
               "no edit list": {"use_editlist": "0"}, "negative": {"movflags": "+negative_cts_offsets"}}[kind]  # fmt: skip
        if kind == "plain":
            change = rng.choice(["", "", "edit", "edit", "edits", "" if codec == "libsvtav1" else "late"])
    elif ending == ".ts":
        change = rng.choice(["", "", "late", "joined"])
    elif ending in (".mkv", ".webm", ".mpg") and codec != "libsvtav1":
        change = rng.choice(["", "", "late"])
    if codec == "libsvtav1" or ending == ".ts":  # a transport stream of a few packets is not recognised
        count = max(count, 17)
    timed = ending in (".mp4", ".mov", ".mkv", ".webm", ".ts") and codec in (
        "libx264",
        "libx265",
        "libvpx",
        "libvpx-vp9",
        "mjpeg",
    )
    return Recipe(
        codec, ending, count, gop, b_frames, options, mux,
        forced=tuple(sorted(rng.sample(range(count), min(count, rng.choice([0, 0, 1, 3]))))),
        rate=Fraction(25) if codec in ("mpeg2video", "mpeg1video") else rng.choice(RATES),
        offset=rng.choice([0, 0, 3, 100]) if timed else 0,
        uneven=seed if timed and rng.random() < 0.2 else None, change=change, seed=seed,
    )  # fmt: skip


_CODECS: list[tuple[str, list[str]]] = [
    ("libx264", [".mp4", ".mp4", ".mp4", ".mov", ".mkv", ".ts", ".ts", ".avi", ".flv"]),
    ("libx264", [".mp4", ".mp4", ".mp4", ".mov", ".mkv", ".ts", ".ts", ".avi", ".flv"]),
    ("libx264", [".mp4", ".mp4", ".mp4", ".mov", ".mkv", ".ts", ".ts", ".avi", ".flv"]),
    ("libx265", [".mp4", ".mp4", ".mkv", ".ts"]),
    ("libx265", [".mp4", ".mp4", ".mkv", ".ts"]),
    ("mpeg2video", [".ts", ".mpg", ".mkv", ".mp4", ".avi"]),
    ("mpeg1video", [".mpg", ".mkv"]),
    ("mpeg4", [".mp4", ".avi", ".mkv", ".ts"]),
    ("libvpx", [".webm", ".mkv"]),
    ("libvpx-vp9", [".webm", ".mkv", ".mp4"]),
    ("libsvtav1", [".mp4", ".mkv"]),
    ("mjpeg", [".avi", ".mov", ".mkv"]),
    ("flv", [".flv", ".avi"]),
    ("wmv2", [".wmv", ".avi"]),
]


def _encoder(rng: random.Random, codec: str, gop: int, b_frames: int) -> dict[str, str]:
    if codec == "libx264":
        options = {"preset": "ultrafast", "crf": "18", "threads": "1", "bf": str(b_frames)}
        kind = rng.choice(["closed", "open", "open", "refresh", "pyramid"])
        extra = {"closed": "", "open": "open-gop=1", "refresh": "intra-refresh=1", "pyramid": "b-pyramid=strict"}[kind]
        params = [f"keyint={max(gop, 2) if kind == 'refresh' else gop}", "min-keyint=1", f"scenecut={rng.choice([0, 40])}",
                  f"ref={rng.choice([1, 3])}", extra]  # fmt: skip
        if kind == "refresh":
            options["bf"] = "0"
        return options | {"x264-params": ":".join(filter(None, params))}
    if codec == "libx265":
        params = [f"keyint={gop}", "min-keyint=1", f"bframes={b_frames}", "log-level=none", "pools=none", "frame-threads=1",
                  f"open-gop={rng.choice([0, 1, 1])}", f"b-pyramid={rng.choice([0, 1])}", "wpp=0", "rc-lookahead=8"]  # fmt: skip
        if b_frames and rng.random() < 0.3:
            params.append("radl=1")
        return {"preset": "ultrafast", "crf": "18", "x265-params": ":".join(params)}
    if codec in ("libvpx", "libvpx-vp9"):
        return {"deadline": "realtime" if rng.random() < 0.5 else "good", "cpu-used": "8", "b": "400k", "threads": "1",
                "auto-alt-ref": rng.choice(["0", "1"]), "lag-in-frames": rng.choice(["0", "8"])}  # fmt: skip
    if codec == "libsvtav1":
        return {"preset": "12", "crf": "25", "svtav1-params": "lp=1"}
    options = {"qscale": "3", "b": "2M", "threads": "1"}
    if codec == "mpeg2video" and rng.random() < 0.3:
        options["flags"] = "+cgop"
        options["sc_threshold"] = "1000000000"
    return options


def make(recipe: Recipe, folder: Path) -> Made:
    """Write the recipe's file."""
    path = folder / f"{recipe.seed}{recipe.ending}"
    _encode(recipe, path)
    numbers: list[int] | None = list(range(recipe.count))
    rng = random.Random(recipe.seed + 1)
    if recipe.change in ("edit", "edits"):
        numbers = _edit(path, recipe, rng)
    elif recipe.change == "late":
        _copy_late(path, rng)
        numbers = None
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
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                continue
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


def _copy_late(path: Path, rng: random.Random) -> None:
    """The same file without its first packets, as a recorder that was switched on late leaves it."""
    whole = path.with_name(f"whole-{path.name}")
    path.replace(whole)
    container_format = "mpeg" if path.suffix == ".mpg" else None
    with av.open(str(whole)) as source, av.open(str(path), "w", format=container_format) as out:
        incoming = source.streams.video[0]
        stream = out.add_stream_from_template(incoming)
        packets = [packet for packet in source.demux(incoming) if packet.size]
        keys = [n for n, packet in enumerate(packets) if packet.is_keyframe]
        # mp4 has to begin with a key frame for FFmpeg to write it; the others may begin anywhere before the last one.
        late = keys if path.suffix in (".mp4", ".mov") else range(keys[-1] + 1)
        start = rng.choice([n for n in late if n <= max(0, len(packets) - 12)])
        for packet in packets[start:]:
            packet.stream = stream
            out.mux(packet)
    whole.unlink()


def _edit(path: Path, recipe: Recipe, rng: random.Random) -> list[int] | None:
    """Give an mp4 one or several edits, each a range of pictures that may begin within a group of pictures."""
    with av.open(str(path)) as container:
        shown = sorted((packet.pts, packet.duration) for packet in container.demux(video=0) if packet.size)
        first_time = min(packet[0] for packet in shown)
    times = [time - first_time for time, _ in shown] + [shown[-1][0] - first_time + max(1, shown[-1][1])]
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
    return [number for a, b in ranges for number in range(a, b)]
