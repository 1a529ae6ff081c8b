"""A video that kills its decoder fails its job with a reason, and the worker goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.bootstrap import LoadedGrounder
from backend.media.decoding import open_decoding, reporting
from backend.settings import Settings
from stvg_core.children.child import ChildLimits
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.video.child_processes import DecodingProcesses
from tests.jobs.conftest import Loop
from tests.video.painted import write_painted


@pytest.mark.parametrize(
    ("reader", "limits", "reason"),
    [
        ("crashes", ChildLimits(600), "The decoder crashed (SIGSEGV)"),
        ("needs_memory", ChildLimits(600, 2 << 30), "needs more than 2048 MiB"),
    ],
)
def test_a_job_fails_with_what_happened_to_its_decoder(
    loop: Loop, reader: str, limits: ChildLimits, reason: str
) -> None:
    write_painted(loop.videos / "a.mp4", 5)
    decoding, ground = DecodingProcesses(limits, idle=0, reader=f"tests.video.hostile:{reader}"), loop.engine.ground

    def decode(path: Path, query: str, progress: Any) -> Any:
        if path.name == "a.mp4":
            with reporting(decoding, progress) as report:
                report(0.1, "decode")
                decoding.open(path)
        return ground(path, query, progress)

    loop.engine.ground = decode  # type: ignore[method-assign]
    loop.ask(loop.task(1), loop.task(2, video="b.mp4"))
    assert loop.worker.drain() == 2
    assert loop.job(1).state == "failed" and reason in str(loop.job(1).reason)
    assert loop.job(2).state == "done"


def test_pictures_that_come_are_progress_and_what_it_raises_ends_the_wait(tmp_path: Path) -> None:
    clip, said = write_painted(tmp_path / "a.mp4", 20), []
    decoding = open_decoding(600, 0)
    assert decoding is not None

    class Enough(Exception):
        pass

    def progress(share: float, stage: str) -> None:
        said.append((share, stage))
        if len(said) > 30:
            raise Enough

    with reporting(decoding, progress) as report, decoding.open(clip) as reader, pytest.raises(Enough):
        report(0.2, "look")
        while True:
            list(reader.stream())
    assert set(said[said.index((0.2, "look")) :]) == {(0.2, "look")} and decoding.alive is None
    decoding.close()


def test_the_worker_finds_the_same_tube_whoever_decodes(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", replace(split_scene("demo", 0, difficulty="easy"), n_frames=40))
    found = []
    for seconds in (0.0, 600.0):
        engine = LoadedGrounder(Settings(data_dir=tmp_path / f"{seconds:g}", decode_seconds=seconds, device="cpu"))
        assert (engine._decoding is None) == (seconds == 0)
        found.append(engine.ground(path, "the red box", lambda share, stage: None))
    assert found[0].tube is not None and found[1].tube is not None
    assert (found[0].tube.boxes == found[1].tube.boxes).all() and found[0].video == found[1].video
    assert found[0].tube.start_frame == found[1].tube.start_frame and found[0].score == found[1].score
