"""The GPU's memory does not suffice: what is tried once more, what is remembered, and what is said?"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from stvg_core.demo.evaluate import scene_tracks
from stvg_core.demo.scenes import Scene
from stvg_core.errors import ModelError
from stvg_core.locating import attention
from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.session import Prefix, Session
from stvg_core.proposals.base import FixedTracks
from stvg_core.proposals.following import DrawnBox
from stvg_core.tube import Frames, Grounding, Track
from tests.faults.fault import fault
from tests.faults.tiny import SETTINGS, MakeGrounder
from tests.jobs.conftest import Loop

FAULTS = (25,)

SHORT = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]


class OutOfMemory:
    """A session that does not fit until it sees few enough frames."""

    def __init__(self, most: int, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tried: list[int] = []
        self._most, self._error, self._real = most, error, attention.Session
        monkeypatch.setattr(attention, "Session", self)

    def __call__(self, loaded: LoadedModel, frames: Frames) -> Session:
        self.tried.append(len(frames))
        if len(frames) > self._most:
            raise self._error
        return self._real(loaded, frames)


def once(first: Callable[[], Any], again: object, forget: object, refused: str) -> Any:
    return first()


UNSAID = (RuntimeError, MemoryError)


@pytest.mark.parametrize("number", range(len(SHORT)))
@fault(25, guard="stvg_core.locating.attention.twice", without=once, by=UNSAID)
def test_out_of_memory_is_tried_once_with_half_of_the_frames(
    make: MakeGrounder, clip: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    gpu = OutOfMemory(12, SHORT[number], monkeypatch)
    found = make().ground(clip, scene.query, tracks=scene_tracks(scene))
    assert found.tube is not None and found.tube.end_frame < scene.n_frames and 0 <= found.score <= 1
    assert gpu.tried == [20, 10]
    assert found.evidence.info["slots_after_out_of_memory"] == 10
    assert len(found.evidence.slot_frames) == 10
    assert "The memory of the GPU did not suffice: only 10 frames were looked at." in found.to_json()["warnings"]


@fault(25, guard="stvg_core.locating.attention.twice", without=once, by=UNSAID)
def test_how_many_frames_fit_is_remembered_for_frames_of_that_size(
    make: MakeGrounder, clip: Path, tmp_path: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several sentences too: the second one needs no vision tower at all."""
    gpu = OutOfMemory(12, SHORT[0], monkeypatch)
    grounder = make()
    several = grounder.ground_many(clip, [scene.query, "the other one", "a third one"])
    assert gpu.tried == [20, 10]
    other = shutil.copy(clip, tmp_path / "other.mp4")
    again = grounder.ground(other, scene.query, tracks=scene_tracks(scene))
    assert gpu.tried == [20, 10, 10]
    for found in (*several, again):
        assert found.evidence.info["slots_after_out_of_memory"] == 10


class FullGraph:
    """A session that has no memory for a graph that keeps everything, as often as it is asked for one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refused, self.seen = 0, 0
        prefill, begin = Session.prefill, Session.__init__

        def refusing(session: Session, v: torch.Tensor | None = None, *, backwards: bool = False) -> Prefix:
            if v is not None and v.requires_grad and not session.recompute:
                self.refused += 1
                raise SHORT[0]
            return prefill(session, v, backwards=backwards)

        def begins(session: Session, loaded: LoadedModel, frames: Frames) -> None:
            self.seen += 1
            begin(session, loaded, frames)

        monkeypatch.setattr(Session, "prefill", refusing)
        monkeypatch.setattr(Session, "__init__", begins)


def unspared(run: Callable[[], Any], **_: object) -> Any:
    return run()


@fault(25, guard="stvg_core.locating.attention.sparing", without=unspared, by=ModelError)
def test_the_graph_is_spared_before_frames_are_left_out(
    make: MakeGrounder, clip: Path, tmp_path: Path, scene: Scene
) -> None:
    """The vision tower has run once, the answer is the same, and the next video does not fail first."""
    learning = replace(SETTINGS, lra_steps=1)
    wanted = make(settings=learning).ground(clip, scene.query, tracks=scene_tracks(scene))
    with pytest.MonkeyPatch.context() as patch:
        gpu, grounder = FullGraph(patch), make(settings=learning)
        found = grounder.ground(clip, scene.query, tracks=scene_tracks(scene))
        assert (gpu.refused, gpu.seen) == (1, 1)
        assert found.warnings == wanted.warnings and len(found.evidence.slot_frames) == 20
        assert found.evidence.to_bytes() == wanted.evidence.to_bytes()
        grounder.ground(shutil.copy(clip, tmp_path / "other.mp4"), scene.query, tracks=scene_tracks(scene))
        assert (gpu.refused, gpu.seen) == (1, 2)


@fault(25, guard="stvg_core.out_of_memory.is_short_of_memory", without=lambda error: False, by=UNSAID)
def test_out_of_memory_twice_is_a_clear_failure_and_the_grounder_lives(
    make: MakeGrounder, clip: Path, scene: Scene
) -> None:
    grounder = make()
    with pytest.MonkeyPatch.context() as patch:
        gpu = OutOfMemory(4, SHORT[0], patch)
        with pytest.raises(ModelError, match="not even for 10 frames instead of 20"):
            grounder.ground(clip, scene.query, tracks=scene_tracks(scene))
        assert gpu.tried == [20, 10]
    assert grounder.ground(clip, scene.query, tracks=scene_tracks(scene)).tube is not None


class FullTracker(FixedTracks):
    """Its memory does not suffice the first ``times`` times."""

    def __init__(self, times: int, scene: Scene) -> None:
        super().__init__(scene_tracks(scene))
        self.left, self.tried = times, 0

    def follow(self, video: Any, drawn: DrawnBox) -> Track:
        self.tried += 1
        if self.tried <= self.left:
            raise SHORT[0]
        return super().follow(video, drawn)


@fault(25, guard="stvg_core.pipeline.twice", without=once, by=UNSAID)
def test_following_a_box_is_tried_once_more_after_letting_go_of_what_is_held(
    make: MakeGrounder, clip: Path, scene: Scene
) -> None:
    track = scene_tracks(scene)[0]
    drawn = DrawnBox(int(track.frames[0]), track.boxes[0])
    proposer = FullTracker(1, scene)
    grounder = make(proposer=proposer)
    grounder.ground(clip, scene.query)
    assert grounder._opened is not None
    assert len(grounder.extend(clip, drawn, 0, 5).tube.boxes) == 6
    assert proposer.tried == 2 and grounder._opened is None
    never = FullTracker(2, scene)
    grounder = make(proposer=never)
    with pytest.raises(ModelError, match="does not suffice to follow the box"):
        grounder.extend(clip, drawn, 0, 5)
    assert never.tried == 2
    assert len(grounder.extend(clip, drawn, 0, 5).tube.boxes) == 6


class Refusing:
    """What a worker sees of a model whose memory never suffices for one sentence."""

    def __init__(self, loop: Loop) -> None:
        self._ground = loop.engine.ground
        loop.engine.ground = self  # type: ignore[method-assign, assignment]

    def __call__(self, path: Path, query: str, progress: Any) -> Grounding:
        from stvg_core import pipeline

        def ask() -> Grounding:
            if query == "the large one":
                raise SHORT[0]
            return self._ground(path, query, progress)

        return pipeline.twice(ask, ask, lambda: None, "The memory of cuda does not suffice.")


@fault(25, guard="stvg_core.pipeline.twice", without=once)
def test_its_job_fails_with_the_reason_and_the_worker_goes_on(loop: Loop) -> None:
    Refusing(loop)
    loop.ask(loop.task(1, "the large one"), loop.task(2, "the red box"))
    assert loop.worker.drain() == 2
    assert (loop.job(1).state, loop.job(1).reason) == ("failed", "The memory of cuda does not suffice.")
    assert loop.job(2).state == "done"
