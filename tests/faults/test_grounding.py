"""Nothing is found, numbers are none, memory is short: no wrong tube is stored, and the worker lives."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sqlalchemy import select

from backend.db.engine import Database
from backend.db.tables import Delivery, Prediction
from backend.review.queue import QueueFilter, look
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.demo.evaluate import scene_tracks
from stvg_core.demo.scenes import Scene
from stvg_core.errors import ModelError, NonFiniteError
from stvg_core.locating import attention
from stvg_core.method.evidence import Rows
from stvg_core.method.join import Choice, join
from stvg_core.method.maps import maps
from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.session import Prefix, Session
from stvg_core.pipeline import Grounder
from stvg_core.proposals.base import FixedTracks
from stvg_core.proposals.following import DrawnBox
from stvg_core.proposals.grounding_dino import GroundingDino
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Frames, Grounding, Track, Tube
from tests.faults.fault import fault
from tests.faults.without import nothing
from tests.jobs.conftest import Loop, make_loop
from tests.tiny_models import save_llava_onevision

FAULTS = (23, 24, 25)

SETTINGS = GroundingSettings(lra_rule="token_norm", lra_lr=0.05, decomposer="rules", lra_steps=0)
NAN, INF = float("nan"), float("inf")


@pytest.fixture(scope="module")
def scene() -> Scene:
    return split_scene("validation", 7, difficulty="easy")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, scene: Scene) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", scene)


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Grounder]:
    folder = save_llava_onevision(tmp_path_factory.mktemp("model") / "tiny")
    return lambda **given: Grounder.from_pretrained(folder, **{"settings": SETTINGS, "device": "cpu", **given})


@pytest.fixture
def loop(sqlite_database: Database, tmp_path: Path) -> Loop:
    return make_loop(sqlite_database, tmp_path)


def unsaid(bounds: tuple[int, int]) -> Choice:
    return Choice(-1, bounds, NAN)


@fault(23, guard="stvg_core.method.join.without_candidates", without=unsaid)
def test_no_candidate_object_is_an_empty_answer_with_score_zero(make: Callable[..., Grounder], clip: Path) -> None:
    found = make(proposer=FixedTracks([])).ground(clip, "the red circle")
    assert found.tube is None and found.score == 0.0
    assert found.to_json()["boxes"] == {} and found.to_json()["start_frame"] is None
    assert found.evidence.chosen == -1 and found.evidence.spatial_map.max() == 1.0


@fault(23, guard="backend.jobs.grounding.uncertainty_of", without=lambda found: 0.0)
def test_an_empty_answer_is_the_first_in_the_queue(loop: Loop) -> None:
    loop.ask(loop.task(1, "nothing here"), loop.task(2, "the red box"))
    assert loop.worker.drain() == 2 and loop.outbox.send_due() == 2
    [stored] = loop.label_studio.of_task(1)
    assert stored["result"] == [] and stored["score"] == 0
    assert loop.outbox.send_due() == 0 and loop.job().state == "done"
    with loop.database.read() as session:
        first, second = look(session, QueueFilter()).rows
    assert (first.ls_task_id, first.uncertainty) == (1, 1.0), "nothing is more uncertain"
    assert second.uncertainty is not None and second.uncertainty < 1.0


def as_it_comes(values: np.ndarray) -> np.ndarray:
    return values


UNCHECKED = {"stvg_core.method.maps.finite": as_it_comes}


@pytest.mark.parametrize("weight", ["language_model.layers.1.self_attn.q_proj", "language_model.norm"])
@fault(24, guard="stvg_core.method.evidence.finite", without=as_it_comes, also=UNCHECKED, by=(ValueError, TypeError))
def test_a_model_that_answers_with_nan_is_refused(
    make: Callable[..., Grounder], clip: Path, scene: Scene, weight: str
) -> None:
    grounder = make()
    with torch.no_grad():
        grounder.loaded.model.model.get_parameter(f"{weight}.weight").fill_(NAN)
    with pytest.raises(NonFiniteError, match="float32"):
        grounder.ground(clip, scene.query, tracks=scene_tracks(scene))


ROWS = ("spatial", "temporal", "neutral", "yes_minus_no")


@pytest.mark.parametrize("number", [NAN, INF, -INF])
@pytest.mark.parametrize("way", ["forward", "backward"])
@pytest.mark.parametrize("where", ROWS)
@fault(24, guard="stvg_core.method.evidence.finite", without=as_it_comes, also=UNCHECKED, by=ValueError)
def test_one_number_that_is_none_spoils_the_answer(where: str, way: str, number: float) -> None:
    def seen(spoilt: bool) -> dict[str, np.ndarray]:
        found = {name: np.random.default_rng(0).random((1, 4, 2, 2)) for name in ROWS[:3]} | {ROWS[3]: np.ones(2)}
        if spoilt:
            found[where].flat[1] = number
        return found

    track = Track(np.array([0, 39]), np.tile([[0.1, 0.1, 0.9, 0.9]], (2, 1)))
    slots = np.array([5, 15, 25, 35])
    with np.errstate(all="ignore"), pytest.raises(NonFiniteError, match="NaN or infinite"):
        rows = Rows(**seen(way == "forward"), backward=Rows(**seen(way == "backward")))
        join(rows, maps(rows, SETTINGS), [track], slots, lambda boxes: boxes, 40, SETTINGS, 1.0)


@fault(24, guard="stvg_core.method.maps.finite", without=as_it_comes)
def test_a_map_of_numbers_that_are_none_is_refused() -> None:
    """The neutral drawn looks nowhere: what is divided by it is infinite."""
    all_of_it, nothing_of_it = np.ones((1, 4, 2, 2), np.float32), np.zeros((1, 4, 2, 2), np.float32)
    rows = Rows(all_of_it, all_of_it, nothing_of_it)
    with pytest.raises(NonFiniteError, match="NaN or infinite"):
        maps(rows, SETTINGS)


BOX = [0.1, 0.2, 0.4, 0.6]
ODD_BOXES = [[NAN, *BOX[1:]], [*BOX[:3], INF], [-INF, *BOX[1:]]]


@pytest.mark.parametrize("box", ODD_BOXES, ids=str)
@fault(24, guard="stvg_core.tube.Tube.__post_init__", without=nothing)
@fault(24, guard="stvg_core.tube.Track.__post_init__", without=nothing)
def test_a_track_and_a_tube_are_of_numbers(box: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        Track(np.array([0, 5]), np.array([BOX, box]))
    with pytest.raises(ValueError, match="finite"):
        Track(np.array([0]), np.array([BOX]), score=box[0] if not np.isfinite(box[0]) else NAN)
    with pytest.raises(ValueError, match="finite"):
        Tube(0, np.array([BOX, box]))


@pytest.mark.parametrize(
    ("box", "inside"),
    [([-0.5, 0.2, 0.4, 1.7], [0, 0.2, 0.4, 1]), ([0.9, 0.9, 1e30, 2], [0.9, 0.9, 1, 1])],
)
@fault(24, guard="stvg_core.tube.Tube.__post_init__", without=nothing)
def test_boxes_outside_of_the_frame_are_clamped(box: list[float], inside: list[float]) -> None:
    np.testing.assert_allclose(Tube(3, np.array([box, BOX])).boxes, np.array([inside, BOX]), rtol=1e-6)


def every_detection(result: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    return result["boxes"].numpy(), result["scores"].numpy()


@fault(24, guard="stvg_core.proposals.grounding_dino.GroundingDino._boxes", without=staticmethod(every_detection))
def test_of_a_detectors_boxes_only_those_are_taken_that_are_some() -> None:
    good, edge = BOX, [0.5, 0.5, 1.2, 1.3]
    empty, turned, outside = [0.3, 0.3, 0.3, 0.6], [0.6, 0.6, 0.2, 0.9], [1.1, 0.2, 1.4, 0.5]
    boxes = [good, edge, empty, turned, outside, [NAN] * 4, [0.1, 0.1, NAN, 0.5], [INF, 0.1, INF, 0.5], good, good]
    scores = [0.9, 0.8, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, NAN, INF]
    found, sure = GroundingDino._boxes(
        {"boxes": torch.tensor(boxes), "scores": torch.tensor(scores), "text_labels": ["a man"] * len(boxes)}
    )
    np.testing.assert_allclose(found, [good, [0.5, 0.5, 1, 1]], rtol=1e-6)
    np.testing.assert_allclose(sure, [0.9, 0.8], rtol=1e-6)


def with_tube(**changed: Any) -> Callable[[Grounding], Grounding]:
    return lambda found: replace(found, tube=Tube(**{"start_frame": 3, "boxes": np.array([BOX, BOX]), **changed}))


ODD_ANSWERS: dict[str, Callable[[Grounding], Grounding]] = {
    "score NaN": lambda found: replace(found, score=NAN),
    "score infinite": lambda found: replace(found, score=INF),
    "score below 0": lambda found: replace(found, score=-0.1),
    "score above 1": lambda found: replace(found, score=1.1),
    "no score at all, without a tube": lambda found: replace(found, tube=None, score=NAN),
    "frames that the video does not have": with_tube(start_frame=49),
    "a box without width": with_tube(boxes=np.array([BOX, [0.3, 0.2, 0.3, 0.6]])),
    "a box without height": with_tube(boxes=np.array([BOX, [0.1, 0.6, 0.4, 0.6]])),
    "a box the wrong way round": with_tube(boxes=np.array([[0.4, 0.2, 0.1, 0.6], BOX])),
    "a box outside of the picture": with_tube(boxes=np.array([BOX, [1.1, 0.2, 1.4, 0.6]])),
}


@pytest.mark.parametrize("kind", ODD_ANSWERS)
@fault(24, guard="backend.jobs.grounding.check", without=nothing)
def test_an_answer_that_is_none_fails_its_job_and_is_not_stored(loop: Loop, kind: str) -> None:
    ground = loop.engine.ground
    loop.engine.ground = lambda path, query, progress: (  # type: ignore[method-assign]
        ODD_ANSWERS[kind](ground(path, query, progress)) if path.name == "a.mp4" else ground(path, query, progress)
    )
    loop.ask(loop.task(1), loop.task(2, video="b.mp4"))
    assert loop.worker.drain() == 2
    assert loop.job(1).state == "failed" and "nothing is stored" in str(loop.job(1).reason)
    assert loop.job(2).state == "done"
    with loop.database.read() as session:
        assert len(session.scalars(select(Prediction)).all()) == len(session.scalars(select(Delivery)).all()) == 1


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
    make: Callable[..., Grounder], clip: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch, number: int
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
    make: Callable[..., Grounder], clip: Path, tmp_path: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch
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
    make: Callable[..., Grounder], clip: Path, tmp_path: Path, scene: Scene
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
    make: Callable[..., Grounder], clip: Path, scene: Scene
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
    make: Callable[..., Grounder], clip: Path, scene: Scene
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
