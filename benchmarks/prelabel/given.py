"""What the runs are given: clips, one of them made very long, and a database with one job per sentence."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av

from backend.db import projects, schema
from backend.db.engine import Database
from backend.media.file_address import file_address
from backend.prelabel.item import Item
from backend.runs.enqueue import LocalPlaces, enqueue
from benchmarks.many_queries import queries_for
from benchmarks.scale.places import Place
from labeling_config import video_tube
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.demo.scenes import Scene

FIRST = 5400


@dataclass(frozen=True)
class Asked:
    """One sentence about one local file."""

    video: Path
    query: str


def clips(folder: Path, count: int, seconds: float) -> list[Asked]:
    """So many clips, at most so long, one sentence each."""
    scenes = [split_scene("validation", FIRST + number, max_seconds=seconds) for number in range(count)]
    return [
        Asked(write_clip(folder / f"{number}.mp4", scene), scene.query) for number, scene in enumerate(scenes)
    ]  # fmt: skip


def many_sentences(folder: Path, count: int, seconds: float) -> list[Asked]:
    """One clip with so many different sentences about its objects."""
    scene = _talkative(count, seconds)
    video = write_clip(folder / "one.mp4", scene)
    return [Asked(video, query) for query in queries_for(scene, count)]


def _talkative(count: int, seconds: float) -> Scene:
    for number in range(1000):
        scene = split_scene("validation", FIRST + number, difficulty="hard", max_seconds=seconds)
        if len(queries_for(scene, count)) == count:
            return scene
    raise ValueError(f"no scene has {count} sentences")


def copied(video: Path, name: str) -> Path:
    """The same pictures in other bytes, beside the file: nobody knows anything of it yet."""
    copy = video.with_name(f"{name}.mp4")
    shutil.copyfile(video, copy)
    with copy.open("ab") as file:  # an mp4 box that players pass over
        file.write((8 + len(name)).to_bytes(4, "big") + b"free" + name.encode())
    return copy


def long_video(source: Path, path: Path, seconds: float) -> int:
    """A video of this length that shows ``source`` again and again: its packets, with later times. Returns its frames.

    Nothing is encoded, so ten hours take seconds to make.
    """
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.dts is not None]
        step = sum(packet.duration or 0 for packet in packets)
        once_s = float(step * stream.time_base)
        times = max(1, round(seconds / once_s))
        with av.open(str(path), "w") as written:
            track = written.add_stream_from_template(stream)
            for turn in range(times):
                for packet in packets:
                    again = av.Packet(bytes(packet))
                    again.stream, again.time_base, again.duration = track, packet.time_base, packet.duration
                    again.pts, again.dts = packet.pts + turn * step, packet.dts + turn * step
                    again.is_keyframe = packet.is_keyframe
                    written.mux(again)
    return times * len(packets)


@contextmanager
def queued(where: Place, name: str, asked: Sequence[Asked], version: str) -> Iterator[tuple[str, int]]:
    """A new database with a job for each sentence: its address and the local project. Dropped at the end."""
    name = f"stvg_prelabel_{os.getpid()}_{name}"
    where.create(name)
    try:
        database = Database(where.url(name))
        schema.upgrade(database.engine)
        with database.write() as session:
            project = projects.local(session, "benchmark", video_tube()).id
        found = [_item(number, one) for number, one in enumerate(asked)]
        made = enqueue(database, found, LocalPlaces(project), version)
        assert made.queued == len(asked), made
        database.close()
        yield where.url(name), project
    finally:
        where.drop(name)


def _item(number: int, asked: Asked) -> Item:
    address = file_address(asked.video)
    return Item(address, asked.query, str(number), f"row {number}", {"video": address, "query": asked.query})
