"""Nothing is found, or numbers are none: no wrong tube is stored, and the worker lives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sqlalchemy import select

from backend.db.tables import Delivery, Prediction
from backend.review.queue import QueueFilter, look
from stvg_core.demo.evaluate import scene_tracks
from stvg_core.demo.scenes import Scene
from stvg_core.errors import NonFiniteError
from stvg_core.method.evidence import Rows
from stvg_core.method.join import Choice, join
from stvg_core.method.maps import maps
from stvg_core.proposals.base import FixedTracks
from stvg_core.proposals.grounding_dino import GroundingDino
from stvg_core.tube import Grounding, Track, Tube
from tests.faults.fault import fault
from tests.faults.tiny import SETTINGS, MakeGrounder
from tests.faults.without import nothing
from tests.jobs.conftest import Loop

FAULTS = (23, 24)

NAN, INF = float("nan"), float("inf")


def unsaid(bounds: tuple[int, int]) -> Choice:
    return Choice(-1, bounds, NAN)


@fault(23, guard="stvg_core.method.join.without_candidates", without=unsaid)
def test_no_candidate_object_is_an_empty_answer_with_score_zero(make: MakeGrounder, clip: Path) -> None:
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
def test_a_model_that_answers_with_nan_is_refused(make: MakeGrounder, clip: Path, scene: Scene, weight: str) -> None:
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
