"""The whole way from a file to a tube, on a tiny random model: any answer, but a well-formed one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.demo.evaluate import evaluate, scene_tracks, scene_truth, summary
from stvg_core.demo.scenes import Scene
from stvg_core.errors import QueryError, VideoError
from stvg_core.metrics import viou
from stvg_core.pipeline import Grounder
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Grounding, Track, VideoInfo
from tests.tiny_models import FAMILIES, save_llava_onevision

SETTINGS = GroundingSettings(lra_rule="token_norm", lra_lr=0.05, decomposer="rules")


class NoProposals:
    name = "none"
    weight = 1.0
    uses_phrase = False

    def propose(self, info: VideoInfo, phrase: str | None = None) -> list[Track]:
        return []

    def densify(self, info: VideoInfo, track: Track, start: int, end: int) -> Track:
        return track


@pytest.fixture(scope="module")
def scene() -> Scene:
    return split_scene("validation", 7, difficulty="easy")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, scene: Scene) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", scene)


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Grounder]:
    folder = save_llava_onevision(tmp_path_factory.mktemp("model") / "tiny")
    return lambda **kwargs: Grounder.from_pretrained(folder, **{"settings": SETTINGS, "device": "cpu", **kwargs})


def well_formed(found: Grounding, scene: Scene) -> None:
    text = json.loads(json.dumps(found.to_json()))
    assert set(text) == {
        "query", "attribute_query", "action_query", "start_s", "end_s", "start_frame", "end_frame", "boxes", "score",
        "model_version", "timings",
    }  # fmt: skip
    assert 0 <= text["start_frame"] <= text["end_frame"] < scene.n_frames
    assert list(text["boxes"]) == [str(frame) for frame in range(text["start_frame"], text["end_frame"] + 1)]
    for x1, y1, x2, y2 in text["boxes"].values():
        assert 0 <= x1 < x2 <= scene.width and 0 <= y1 < y2 <= scene.height
    assert 0 <= text["score"] <= 1
    stages = {"decompose", "decode", "vision", "attention", "join", "densify", "total"}
    assert set(text["timings"]) - {"propose"} == stages


def test_with_the_proposer(make: Callable[..., Grounder], clip: Path, scene: Scene) -> None:
    shares: list[float] = []
    found = make().ground(clip, scene.query, progress=lambda share, stage: shares.append(share))
    well_formed(found, scene)
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] == 1.0
    assert len(found.evidence.to_bytes()) < 100_000


def test_same_input_same_answer(make: Callable[..., Grounder], clip: Path, scene: Scene) -> None:
    tracks = scene_tracks(scene)
    one, other = (make().ground(clip, scene.query, tracks=tracks) for _ in range(2))
    assert {**one.to_json(), "timings": 0} == {**other.to_json(), "timings": 0}


@pytest.mark.parametrize(
    "changes",
    [{"interval": "top_k"}, {"tas": False}, {"attention": "raw"}, {"role_tokens": "mean"}, {"coverage": "peak"},
     {"lra_steps": 0}, {"lra_steps": 2}, {"layers": (1,)}, {"n_slots": 1}],
    ids=str,
)  # fmt: skip
def test_every_form_of_the_method_runs(
    make: Callable[..., Grounder], clip: Path, scene: Scene, changes: dict[str, object]
) -> None:
    found = make(settings=replace(SETTINGS, **changes)).ground(clip, scene.query, tracks=scene_tracks(scene))
    well_formed(found, scene)
    assert np.isnan(found.evidence.consistency) == (changes.get("tas") is False)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_grounds(family: str, tmp_path: Path, clip: Path, scene: Scene) -> None:
    grounder = Grounder.from_pretrained(FAMILIES[family](tmp_path / family), settings=SETTINGS, device="cpu")
    found = grounder.ground(clip, scene.query, tracks=scene_tracks(scene))
    well_formed(found, scene)
    slots = found.evidence.slot_frames
    assert len(slots) == len(found.evidence.spatial_map) == SETTINGS.n_slots
    assert (np.diff(slots) > 0).all() and slots[0] >= 0 and slots[-1] < scene.n_frames


@pytest.mark.parametrize(("weight", "chosen"), [(0.0, 0), (1.0, 1)])
def test_equally_bright_tracks_are_told_apart_by_the_proposer(
    make: Callable[..., Grounder], clip: Path, scene: Scene, weight: float, chosen: int
) -> None:
    (track, *_) = scene_tracks(scene)
    doubtful, sure = replace(track, score=0.2), replace(track, score=0.9)
    found = make(settings=replace(SETTINGS, proposer_weight=weight)).ground(clip, scene.query, tracks=[doubtful, sure])
    assert found.evidence.chosen == chosen
    assert found.score > 0  # the same object again is no rival


def test_no_candidate_object_is_an_empty_answer_with_score_zero(make: Callable[..., Grounder], clip: Path) -> None:
    found = make(proposer=NoProposals()).ground(clip, "the red circle")
    assert found.tube is None and found.score == 0.0
    assert found.to_json()["boxes"] == {}
    assert found.evidence.spatial_map.max() == 1.0


def test_bad_input_is_told_apart(make: Callable[..., Grounder], clip: Path, tmp_path: Path) -> None:
    grounder = make()
    with pytest.raises(QueryError):
        grounder.ground(clip, "   ")
    with pytest.raises(VideoError):
        grounder.ground(tmp_path / "missing.mp4", "a dog")


def test_oracle_tracks_bound_the_evaluation(make: Callable[..., Grounder], scene: Scene) -> None:
    truth = scene_truth(scene)
    assert (truth.start_frame, truth.end_frame) == scene.truth
    assert viou(truth, truth) == pytest.approx(1.0)
    (row,) = evaluate(make(), [scene], oracle=True)
    assert row.objects == len(scene.objects)
    assert 0 <= row.viou <= row.tiou <= 1
    assert row.chance_viou <= row.whole_viou <= row.whole_tiou
    assert summary([row, row])["m_viou"] == pytest.approx(row.viou, abs=1e-4)
    assert row.chance_track == pytest.approx(1 / len(scene.objects))
