"""What does it cost to read a video's frames, against decoding it once in order?

    OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.reading --out reading.json

Two questions, each answered by ratios within one run, of CPU seconds (all threads) and of the clock:

- 20 of a file's frames: against the way that served H.264 mp4 files before (decord, one thread, opened for each read),
  and against plain PyAV that decodes all of the file in order and keeps those 20. The file's timeline is known already.
- the reads of a grounding on a clip: the embedded path's (20 slots, 64 small pictures, people, 20 of a second
  look) and SAM 2's dense pass (prompted frames, then forwards, then backwards, a few at a time), against plain PyAV
  that decodes the frames in question once, in order, and makes the same pictures of them. Each runs in a process of
  its own, whose largest memory is reported.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
import decord
import numpy as np

from benchmarks.report import between, machine, publish, ratios, row
from stvg_core.proposals.sam2 import BATCH, looking_order
from stvg_core.tube import Array
from stvg_core.video import VideoReader, probe, read_frames, sample_indices

decord.logging.set_level(decord.logging.QUIET)

KINDS: dict[str, tuple[str, str, dict[str, str]]] = {
    "H.264 mp4, closed": ("closed.mp4", "libx264", {"preset": "veryfast"}),
    "H.264 mp4, open": ("open.mp4", "libx264", {"preset": "veryfast", "x264-params": "open-gop=1:keyint=50"}),
    "H.264 mp4, intra refresh": ("refresh.mp4", "libx264", {"preset": "veryfast", "x264-params": "intra-refresh=1"}),
    "H.264 MPEG-TS": ("closed.ts", "libx264", {"preset": "veryfast"}),
    "HEVC mp4": ("hevc.mp4", "libx265", {"preset": "ultrafast", "x265-params": "log-level=none:keyint=50"}),
    "MPEG-2 MPEG-PS": ("mpeg2.mpg", "mpeg2video", {"b": "4M"}),
    "MPEG-4 avi": ("mpeg4.avi", "mpeg4", {"b": "4M"}),
    "VP9 webm": ("vp9.webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "b": "2M"}),
}
_SLOTS, _SMALL, _DENSE = 20, 64, (0.1, 0.8)


def write(path: Path, codec: str, options: dict[str, str], size: tuple[int, int], count: int) -> Path:
    """A moving texture with noise, as of a camera; a key frame every 50 pictures."""
    width, height = size
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 16, (4, height, width, 3), np.uint8)
    texture = rng.integers(40, 215, (height // 8 + 64, width // 8 + 64, 3), np.uint8)
    with av.open(str(path), "w", format="mpeg" if path.suffix == ".mpg" else None) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = width, height, "yuv420p", options
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 50, 0 if "vpx" in codec else 2
        for number in range(count):
            shift = number % 64
            part = texture[shift : shift + height // 8, shift : shift + width // 8]
            picture = np.ascontiguousarray(part.repeat(8, 0).repeat(8, 1)[:height, :width])
            picture ^= noise[number % 4]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def in_order(path: Path, first: int, last: int, pictures: dict[int, list[int | None]]) -> None:
    """Plain PyAV: decode from the key frame before ``first`` to ``last``; make pictures of the asked sizes."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        number = -1
        for frame in container.decode(stream):
            number += 1
            for side in pictures.get(number, []):
                scale = 1.0 if side is None else min(1.0, side / max(frame.width, frame.height))
                frame.to_ndarray(format="rgb24", width=round(frame.width * scale), height=round(frame.height * scale))
            if number >= last:
                return


def with_decord(path: Path, indices: Array, n_frames: int) -> Array:
    """As H.264 mp4 files were read before: opened, its times compared, asked for its rotation, decoded."""
    reader = decord.VideoReader(str(path), num_threads=1)
    reader.get_frame_timestamp(np.arange(n_frames))
    with av.open(str(path)) as container:
        next(container.decode(video=0))
    return np.asarray(reader.get_batch(np.unique(indices).tolist()).asnumpy())


def timed(run: Callable[[], Any]) -> tuple[float, float]:
    """CPU and clock seconds."""
    cpu, clock = time.process_time(), time.perf_counter()
    run()
    return time.process_time() - cpu, time.perf_counter() - clock


def few_frames(folder: Path, size: tuple[int, int], count: int, repeats: int, kinds: int) -> dict[str, Any]:
    """20 of the frames of each kind of file, in turn by each way."""
    found = {}
    for kind, (name, codec, options) in list(KINDS.items())[:kinds]:
        path = write(folder / name, codec, options, size, count)
        info = probe(path)
        indices = sample_indices(info.n_frames, 20)
        wanted: dict[int, list[int | None]] = {int(index): [None] for index in indices}
        ways: dict[str, Callable[[], Any]] = {
            "ours": lambda: read_frames(info, indices),  # noqa: B023
            "in order": lambda: in_order(path, 0, int(indices[-1]), wanted),  # noqa: B023
        }
        if kind == "H.264 mp4, closed":
            ways["before"] = lambda: with_decord(path, indices, info.n_frames)  # noqa: B023
        seconds: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for _ in range(repeats + 1):
            for way, run in ways.items():
                seconds[way].append(timed(run))
        found[kind] = {way: np.array(values)[1:].T.tolist() for way, values in seconds.items()}
    return found


def embedded_path(path: Path) -> None:
    """The reads of one grounding on the embedded path."""
    with VideoReader(path) as video:
        n_frames = video.info.n_frames
        small = np.unique(sample_indices(n_frames, _SMALL))
        video.expect(small.tolist())
        video.read(sample_indices(n_frames, _SLOTS))
        video.read(small, max_side=320)
        video.read(small[::16], max_side=480)
        video.read(small[::2], max_side=480)
        first, last = int(0.3 * n_frames), int(0.7 * n_frames)
        video.read(first + sample_indices(last - first, _SLOTS))


def embedded_once(path: Path) -> None:
    """The same pictures in one way through the file."""
    n_frames = probe(path).n_frames
    wanted: dict[int, list[int | None]] = {}
    small = np.unique(sample_indices(n_frames, _SMALL))
    first, last = int(0.3 * n_frames), int(0.7 * n_frames)
    for indices, side in (
        (sample_indices(n_frames, _SLOTS), None), (small, 320), (small[::16], 480), (small[::2], 480),
        (first + sample_indices(last - first, _SLOTS), None),
    ):  # fmt: skip
        for index in indices.tolist():
            wanted.setdefault(index, []).append(side)
    in_order(path, 0, n_frames - 1, wanted)


def dense_frames(n_frames: int) -> tuple[Array, list[int]]:
    """The frames of a dense pass, and the positions of the prompted ones among them."""
    frames = np.arange(int(_DENSE[0] * n_frames), int(_DENSE[1] * n_frames))
    return frames, [int(share * len(frames)) for share in (0.6, 0.25, 0.85, 0.4)]


def dense_pass(path: Path) -> None:
    """The reads of SAM 2's pass over the chosen track, as the tracker makes them."""
    with VideoReader(path) as video:
        frames, seeds = dense_frames(video.info.n_frames)
        order = looking_order(len(frames), seeds)
        video.expect(frames[order].tolist())
        video.read(frames[seeds], max_side=2048)
        rest = order[len(seeds) :]
        turn = next(n for n in range(len(rest)) if rest[n] < min(seeds))
        for way in (rest[:turn], rest[turn:]):
            for first in range(0, len(way), BATCH):
                video.read(frames[way[first : first + BATCH]], max_side=2048)


def dense_once(path: Path) -> None:
    """The same pictures in one way through the file."""
    frames, _ = dense_frames(probe(path).n_frames)
    in_order(path, int(frames[0]), int(frames[-1]), {int(frame): [2048] for frame in frames})


def nothing(path: Path) -> None:
    """What the process weighs before it reads."""
    probe(path)


@dataclass(frozen=True)
class Cost:
    """Of one run in a process of its own, all its threads together: seconds in the program (``user``), in the kernel
    (``system``) and by the clock, and the largest memory in bytes. Finding out the file's timeline is not counted.
    """

    user: float
    system: float
    clock: float
    memory: int

    @property
    def cpu(self) -> float:
        return self.user + self.system


def apart(run: Callable[[Path], None], path: Path) -> Cost:
    """What a run costs, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (run, path))


def _measured(run: Callable[[Path], None], path: Path) -> Cost:
    probe(path)
    before, clock = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    run(path)
    clock, after = time.perf_counter() - clock, resource.getrusage(resource.RUSAGE_SELF)
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return Cost(user, system, clock, after.ru_maxrss * 1024)


def groundings(path: Path, repeats: int) -> dict[str, Any]:
    """Both paths against one way through the file, in turn, so that what else the machine does meets both."""
    base = apart(nothing, path).memory
    found = {}
    for name, run, once in (("embedded", embedded_path, embedded_once), ("dense pass", dense_pass, dense_once)):
        pairs = [(apart(run, path), apart(once, path)) for _ in range(repeats)]
        found[name] = {
            "cpu": ratios([ours.cpu for ours, _ in pairs], [other.cpu for _, other in pairs]),
            "user": ratios([ours.user for ours, _ in pairs], [other.user for _, other in pairs]),
            "clock": ratios([ours.clock for ours, _ in pairs], [other.clock for _, other in pairs]),
            "system seconds": [float(np.median([pair[n].system for pair in pairs])) for n in (0, 1)],
            "runs": [[asdict(ours), asdict(other)] for ours, other in pairs],
            "megabytes": [(max(pair[n].memory for pair in pairs) - base) / 2**20 for n in (0, 1)],
        }
    return found


def table(found: dict[str, Any]) -> list[str]:
    """Markdown rows of both tables."""
    rows = []
    for kind, ways in found["few"].items():
        for other in ways:
            if other != "ours":
                cpu, clock = (between(ratios(ways["ours"][n], ways[other][n])) for n in (0, 1))
                rows.append(row(kind, other, f"{np.median(ways['ours'][0]):.2f} s", cpu, clock))
    for name, figures in found["grounding"].items():
        memory = " / ".join(f"{size:.0f} MB" for size in figures["megabytes"])
        system = " / ".join(f"{seconds:.2f} s" for seconds in figures["system seconds"])
        shares = [between(figures[kind]) for kind in ("cpu", "user", "clock")]
        rows.append(row(name, shares[0], shares[1], system, shares[2], memory))
    return rows


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=(640, 360), help="of the files of the first question")
    parser.add_argument("--count", type=int, default=500, help="frames of each file")
    parser.add_argument("--large", type=int, nargs=2, default=(1920, 1080), help="of the clip of the second question")
    parser.add_argument("--clip", type=Path, help="a file for the second question instead of one that is made")
    parser.add_argument("--kinds", type=int, default=len(KINDS), help="so many kinds of file for the first question")
    parser.add_argument("--repeats", type=int, default=5, help="pairs of runs")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        load = [os.getloadavg()[0]]
        few = few_frames(folder, tuple(args.size), args.count, args.repeats, args.kinds)
        options = {"preset": "veryfast", "b": "10M", "x264-params": "keyint=250"}
        clip = args.clip or write(folder / "large.mp4", "libx264", options, tuple(args.large), args.count)
        found = {"few": few, "grounding": groundings(clip, args.repeats)}
        load.append(os.getloadavg()[0])
    report = {"arguments": vars(args), "machine": machine(), "load": load, **found}
    publish(report, table(found), args.out)
    return report


if __name__ == "__main__":
    main()
