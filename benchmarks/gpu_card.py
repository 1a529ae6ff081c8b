"""Does a smaller card suffice, and what happens where it does not? Parts of :mod:`benchmarks.gpu_7b`.

The whole :class:`stvg_core.pipeline.Grounder` on pictures made in memory. Needs what the product needs (OpenCV, PyAV),
unlike the rest of :mod:`benchmarks.gpu_7b`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import numpy as np
import torch

from benchmarks.gpu_parts import limited
from benchmarks.shapes import QUERY
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.errors import ModelError
from stvg_core.locating import attention
from stvg_core.locating.attention import AttentionView
from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.memory import LanguageShape
from stvg_core.mllm.session import Prefix, Session
from stvg_core.pipeline import Grounder
from stvg_core.proposals.base import FixedTracks
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Array, Frames, Grounding, Track, VideoInfo
from stvg_core.video import VideoReader
from stvg_core.video.child import ChildLimits
from stvg_core.video.child_ahead import OpensAhead
from stvg_core.video.child_processes import DecodingProcesses

N_FRAMES, RATE = 200, 10


class Noise:
    """An open video of random pictures."""

    def __init__(self, path: str | Path, size: tuple[int, int]) -> None:
        height, width = self._size = size
        self.info = VideoInfo(str(path), width, height, RATE, 1, N_FRAMES, N_FRAMES / RATE)
        self.seconds = np.arange(N_FRAMES) / RATE

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def close(self) -> None: ...

    def expect(self, indices: object) -> None: ...

    def read(self, indices: Array, *, max_side: int | None = None) -> Frames:
        shape = (len(indices), *self._size, 3)
        pixels = np.random.default_rng(len(indices)).integers(0, 256, shape, dtype=np.uint8)
        return Frames(pixels, np.asarray(indices), np.asarray(indices) / RATE)


@contextmanager
def small_memory(tokens: int) -> Iterator[None]:
    """On a CPU, which has no limit to set: prefills of more than so many tokens are refused."""
    real = Session.prefill_each

    def refusing(session: Session, vs: Any, *, backwards: bool = False) -> list[Prefix]:
        if session._length > tokens:
            raise torch.OutOfMemoryError("out of memory (played)")
        return real(session, vs, backwards=backwards)

    Session.prefill_each = refusing  # type: ignore[method-assign]
    try:
        yield
    finally:
        Session.prefill_each = real  # type: ignore[method-assign]


@contextmanager
def counted() -> Iterator[list[int]]:
    """How many frames each session was made of: each is a run of the vision tower."""
    made: list[int] = []
    real = attention.Session

    def noted(loaded: LoadedModel, frames: Frames) -> Session:
        made.append(len(frames))
        return real(loaded, frames)

    attention.Session = noted  # type: ignore[assignment, misc]
    try:
        yield made
    finally:
        attention.Session = real  # type: ignore[misc]


def suffices(loaded: LoadedModel, settings: GroundingSettings, size: tuple[int, int]) -> dict[str, Any]:
    """One sentence, then five on one video, through the product: how many frames, recomputed or not, or refused."""
    grounder = _grounder(loaded, settings, size)
    found: dict[str, Any] = {}
    for name, count in (("one sentence", 1), ("five sentences", 5)):
        began = time.perf_counter()
        try:
            with counted() as made:
                answers = grounder.ground_many(f"{name}.mp4", [QUERY] * count)
        except ModelError as error:
            found[name] = {"refused": str(error)}
            continue
        found[name] = {
            "slots": len(answers[-1].evidence.slot_frames), "recomputed": _recomputes(grounder),
            "vision_towers": len(made), "seconds": time.perf_counter() - began, "warnings": _warnings(answers[-1]),
        }  # fmt: skip
        if loaded.device.type == "cuda":
            found[name]["peak_reserved_gb"] = torch.cuda.max_memory_reserved(loaded.device) / 1e9
    return found


def _recomputes(grounder: Grounder) -> bool:
    return grounder._opened is not None and cast(AttentionView, grounder._opened.view).session.recompute


def remembered(loaded: LoadedModel, settings: GroundingSettings, size: tuple[int, int]) -> dict[str, Any]:
    """Two videos where the memory suffices for three quarters of the tokens only: the first looks for a smaller size,
    the second begins with it.

    Raises:
        AssertionError: the second one tried the larger size again, or an answer does not say it.
    """
    grounder = _grounder(loaded, settings, size)
    with counted() as made:
        whole = Session(loaded, Noise("", size).read(np.arange(settings.n_slots * loaded.family.frames_per_slot)))
        tokens = whole._length * 3 // 4
        del whole
        with _room_for(loaded, tokens):
            first, before = grounder.ground("first.mp4", QUERY), len(made)
            second = grounder.ground("second.mp4", QUERY)
    half, fused = settings.n_slots // 2, loaded.family.frames_per_slot
    said = [one.evidence.info.get("slots_after_out_of_memory") for one in (first, second)]
    if said != [half, half] or made[before:] != [half * fused]:
        raise AssertionError(f"out of memory: said {said}, frames of the vision tower {made}, {before} before")
    return {"slots": said, "frames_of_each_vision_tower": made, "warnings": _warnings(first)}


def _warnings(answer: Grounding) -> Any:
    return answer.to_json()["warnings"]


@contextmanager
def _room_for(loaded: LoadedModel, tokens: int) -> Iterator[None]:
    if loaded.device.type != "cuda":
        with small_memory(tokens):
            yield
        return
    needed = LanguageShape.of(loaded.model).peak(tokens, recompute=True)
    with limited(str(loaded.device), (torch.cuda.memory_allocated(loaded.device) + needed) / 1e9):
        yield


def decode_ahead(loaded: LoadedModel, settings: GroundingSettings, clips: int, seconds: float) -> dict[str, Any]:
    """Seconds by the clock for as many rendered clips, each decoded when its turn comes, and while the one before it is
    in work.
    """
    with tempfile.TemporaryDirectory() as folder:
        scenes = [split_scene("validation", n, max_seconds=seconds) for n in range(clips)]
        paths = [write_clip(Path(folder) / f"{n}.mp4", scene) for n, scene in enumerate(scenes)]
        proposer = FixedTracks(_tracks())
        plain = Grounder(loaded, settings, "benchmark", proposer)
        plain.ground(paths[0], QUERY)
        began = time.perf_counter()
        for path in paths:
            Grounder(loaded, settings, "benchmark", proposer, open_video=VideoReader).ground(path, QUERY)
        halfway = time.perf_counter()
        _with_ahead(loaded, settings, proposer, paths)
        ended = time.perf_counter()
    return {"clips": clips, "when_its_turn_comes_s": halfway - began, "ahead_s": ended - halfway}


def _with_ahead(loaded: LoadedModel, settings: GroundingSettings, proposer: FixedTracks, paths: list[Path]) -> None:
    processes = DecodingProcesses(ChildLimits(600, 4 << 30))
    ahead = OpensAhead(processes, lambda info: grounder.needs(info))
    waiting: list[Future[None]] = []

    def open_video(path: str | Path) -> Any:
        for one in waiting:
            one.result()
        found = ahead.open(path)
        following = paths[paths.index(Path(path)) + 1 :][:1]
        waiting[:] = [pool.submit(ahead.prepare, one, lambda: None) for one in following]
        return found

    grounder = Grounder(loaded, settings, "benchmark", proposer, open_video=open_video)
    try:
        with ThreadPoolExecutor(1) as pool:
            for path in paths:
                grounder.ground(path, QUERY)
    finally:
        ahead.close()
        processes.close()


def _tracks() -> list[Track]:
    boxes = [(0.1, 0.1, 0.5, 0.9), (0.5, 0.2, 0.9, 0.8)]
    return [Track(np.array([0, 10**6]), np.array([box, box]), 1.0) for box in boxes]


def _grounder(loaded: LoadedModel, settings: GroundingSettings, size: tuple[int, int]) -> Grounder:
    return Grounder(
        loaded,
        settings,
        "benchmark",
        FixedTracks(_tracks()),
        open_video=lambda path: Noise(path, size),  # type: ignore[arg-type, return-value]
    )
