"""The whole way from a file to a tube, on a tiny random model: any answer, but a well-formed one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stvg_core import pipeline
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.demo.evaluate import evaluate, scene_tracks, scene_truth, summary
from stvg_core.demo.scenes import Scene
from stvg_core.errors import QueryError, VideoError
from stvg_core.method.evidence import Evidence
from stvg_core.method.tracks import decided_by
from stvg_core.metrics import viou
from stvg_core.mllm import together
from stvg_core.mllm.loading import load
from stvg_core.mllm.session import Session
from stvg_core.pipeline import Grounder
from stvg_core.proposals.following import DrawnBox
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Grounding
from tests.tiny_models import FAMILIES, save_llava_onevision

SETTINGS = GroundingSettings(lra_rule="token_norm", lra_lr=0.05, decomposer="rules")


class Counted:
    """Stands in for a class and counts how often it is made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> None:
        self.calls = 0
        self._real = getattr(module, name)
        monkeypatch.setattr(module, name, self)

    def __call__(self, *args: object) -> object:
        self.calls += 1
        return self._real(*args)


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
        "video", "query", "attribute_query", "action_query", "start_s", "end_s", "start_frame", "end_frame", "boxes",
        "score", "model_version", "warnings", "timings", "width", "height", "n_frames", "segment", "split",
    }  # fmt: skip
    assert (text["width"], text["height"]) == (scene.width, scene.height)
    assert text["segment"] is None and text["n_frames"] == scene.n_frames
    assert text["split"] == {
        "attribute": text["attribute_query"], "action": text["action_query"],
        "by": text["split"]["by"], "found": text["split"]["found"],
    }  # fmt: skip
    assert text["split"]["by"] in ("rules", "model") and text["split"]["found"] in (True, False)
    assert 0 <= text["start_frame"] <= text["end_frame"] < scene.n_frames
    assert list(text["boxes"]) == [str(frame) for frame in range(text["start_frame"], text["end_frame"] + 1)]
    for x1, y1, x2, y2 in text["boxes"].values():
        assert 0 <= x1 < x2 <= scene.width and 0 <= y1 < y2 <= scene.height
    assert 0 <= text["score"] <= 1
    stages = {"decompose", "decode", "vision", "attention", "join", "densify", "total"}
    assert set(text["timings"]) - {"propose", "second_look"} == stages


def test_with_the_proposer(make: Callable[..., Grounder], clip: Path, scene: Scene) -> None:
    shares: list[float] = []
    found = make().ground(clip, scene.query, progress=lambda share, stage: shares.append(share))
    well_formed(found, scene)
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] == 1.0
    assert len(found.evidence.to_bytes()) < 100_000


@pytest.mark.parametrize("weight", [None, 0.0, 2.0])
def test_the_evidence_says_what_the_choice_of_the_track_went_by(
    make: Callable[..., Grounder], clip: Path, scene: Scene, weight: float | None
) -> None:
    """Read back as from the database: the highest is the chosen one, whatever weight the proposer had."""
    kept = make(settings=replace(SETTINGS, proposer_weight=weight)).ground(clip, scene.query).evidence
    again = Evidence.from_bytes(kept.to_bytes(), chosen=kept.chosen, consistency=0.0, info=kept.info)
    decided = decided_by(again)
    assert decided is not None
    assert decided[0].argmax() == kept.chosen and decided[1] == (1.0 if weight is None else weight)


@pytest.mark.parametrize("question", ["attribute", "sentence"])
def test_the_evidence_says_what_v_s_was_learnt_with(
    make: Callable[..., Grounder], clip: Path, scene: Scene, question: str
) -> None:
    settings = replace(SETTINGS, v_s_question=question, tas=False)  # type: ignore[arg-type]
    found = make(settings=settings).ground(clip, scene.query, tracks=scene_tracks(scene))
    asked = found.attribute_query if question == "attribute" else scene.query.rstrip(".")
    assert found.evidence is not None
    assert found.evidence.info["spatial_question"] == f"Is there {asked} in this video?"


def test_same_input_same_answer(make: Callable[..., Grounder], clip: Path, scene: Scene) -> None:
    tracks = scene_tracks(scene)
    one, other = (make().ground(clip, scene.query, tracks=tracks) for _ in range(2))
    assert {**one.to_json(), "timings": 0} == {**other.to_json(), "timings": 0}


@pytest.mark.parametrize(
    "changes",
    [{"interval": "top_k"}, {"tas": False}, {"attention": "raw"}, {"role_tokens": "mean"}, {"coverage": "peak"},
     {"lra_steps": 0}, {"lra_steps": 2}, {"layers": (1,)}, {"n_slots": 1}, {"second_look": True},
     {"tas_question": "attribute"}, {"tas_question": "reversed", "tas_temporal": True, "second_look": True},
     {"lra_branches": ("temporal",)}, {"decomposer": "model"}],
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


@pytest.mark.parametrize(("weight", "ties", "chosen"), [(0.0, "first", 0), (0.0, "excess", 1), (1.0, "first", 1)])
def test_equally_bright_tracks_are_told_apart_by_the_proposer(
    make: Callable[..., Grounder], clip: Path, scene: Scene, weight: float, ties: str, chosen: int
) -> None:
    (track, *_) = scene_tracks(scene)
    doubtful, sure = replace(track, score=0.2), replace(track, score=0.9)
    settings = replace(SETTINGS, proposer_weight=weight, ties=ties)
    found = make(settings=settings).ground(clip, scene.query, tracks=[doubtful, sure])
    assert found.evidence.chosen == chosen
    assert found.score > 0  # the same object again is no rival


def test_sentences_on_one_video_share_what_does_not_depend_on_them(
    make: Callable[..., Grounder], clip: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = [scene.query, "the red circle", "something moving up"]
    apart = [make().ground(clip, query) for query in queries]
    grounder = make()
    opened = Counted(monkeypatch, pipeline, "OpenedVideo")
    together = grounder.ground_many(clip, queries)
    assert opened.calls == 1
    for one, other in zip(apart, together, strict=True):
        assert one.tube is not None and other.tube is not None
        assert (one.tube.start_frame, one.tube.end_frame) == (other.tube.start_frame, other.tube.end_frame)
        np.testing.assert_allclose(one.tube.boxes, other.tube.boxes)
        np.testing.assert_allclose(one.evidence.frame_scores, other.evidence.frame_scores, rtol=1e-3)
    grounder.ground(clip, scene.query)
    assert opened.calls == 1  # the last video stays open
    clip.touch()
    grounder.ground(clip, scene.query)
    assert opened.calls == 2  # but a changed file is read again


@pytest.mark.parametrize("family", FAMILIES)
def test_sentences_that_are_looked_at_together_get_the_same_tubes(
    tmp_path: Path, clip: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    """Bit for bit, with prefills in batches and gradients, and with a sentence that fails in the midst of them."""
    queries = [scene.query, "the red circle", "", "something moving up", "the green star growing"]
    loaded = load(FAMILIES[family](tmp_path / "model"), device="cpu")
    settings = replace(SETTINGS, n_slots=4, second_look=False)
    found, sizes = [], []
    real = Session.prefill_each
    monkeypatch.setattr(
        Session, "prefill_each", lambda session, vs, **given: sizes.append(len(vs)) or real(session, vs, **given)
    )
    for full in (1, 10**6):
        monkeypatch.setitem(together.FULL, "cpu", full)
        sizes.clear()
        grounder = Grounder(loaded, settings, "tiny")
        found.append(list(grounder.ground_each(clip, queries)))
        assert max(sizes) == (1 if full == 1 else 6), "V_s and V_t of three sentences"
    for one, other in zip(*found, strict=True):
        if isinstance(one, Exception):
            assert isinstance(one, QueryError) and isinstance(other, QueryError)
            continue
        assert isinstance(one, Grounding) and isinstance(other, Grounding)
        assert one.evidence.to_bytes() == other.evidence.to_bytes() and one.score == other.score
        assert one.tube is not None and other.tube is not None
        assert one.tube.start_frame == other.tube.start_frame
        np.testing.assert_array_equal(one.tube.boxes, other.tube.boxes)


def test_one_of_several_sentences_may_fail_alone(make: Callable[..., Grounder], clip: Path, scene: Scene) -> None:
    """Also by what its progress raises: the others come out as they do without it."""
    queries = [scene.query, "", "the red circle", "something moving up"]
    grounder = make()
    shares: list[list[float]] = []

    class Enough(Exception): ...

    def report(share: float, stage: str) -> None:
        if stage == "decode":
            shares.append([])
        shares[-1].append(share)
        if len(shares) == 2 and share > 0.4:
            raise Enough

    found = list(grounder.ground_each(clip, queries, progress=report))
    assert isinstance(found[1], QueryError) and isinstance(found[2], Enough)
    assert shares[0][0] == 0 and shares[0][-1] == 1 == shares[2][-1], "of each sentence from its beginning to its end"
    for position in (0, 3):
        one, alone = found[position], make().ground(clip, queries[position])
        assert isinstance(one, Grounding) and one.tube is not None and alone.tube is not None
        assert one.tube.start_frame == alone.tube.start_frame
        np.testing.assert_allclose(one.tube.boxes, alone.tube.boxes)


def test_a_second_look_sees_the_part_around_the_interval_only(
    make: Callable[..., Grounder], clip: Path, scene: Scene
) -> None:
    """On a random model the interval is anything, so the window is checked, not the gain."""
    settings = replace(SETTINGS, second_look=True, tas=False, centre=0.9)
    found = make(settings=settings).ground(clip, scene.query, tracks=scene_tracks(scene))
    first, last, start, end = found.evidence.info["second_look"]
    assert found.tube is not None
    assert 0 <= first <= start <= end <= last < scene.n_frames
    assert last - first + 1 <= 0.8 * scene.n_frames
    assert first <= found.tube.start_frame and found.tube.end_frame <= last
    assert found.timings["second_look"] > 0


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


@pytest.mark.parametrize("changes", [{}, {"interval": "top_k"}, {"second_look": True, "n_slots": 4}], ids=str)
@pytest.mark.parametrize("position", [0, -1])
def test_a_drawn_box_is_followed_and_its_frame_is_inside(
    make: Callable[..., Grounder], clip: Path, scene: Scene, changes: dict[str, object], position: int
) -> None:
    """At an end of the action as well, and beyond what the model would choose."""
    (track, *_) = scene_tracks(scene)
    frame = int(track.frames[position])
    drawn = DrawnBox(frame, track.at(np.array([frame]))[0])
    found = make(settings=replace(SETTINGS, **changes)).follow(clip, scene.query, drawn)
    well_formed(found, scene)
    assert found.tube is not None and found.tube.start_frame <= frame <= found.tube.end_frame
    np.testing.assert_array_equal(found.tube.boxes[frame - found.tube.start_frame], drawn.box)
    assert found.evidence.info["prompt"] == drawn.to_json() and len(found.evidence.track_boxes) == 1


def test_a_drawn_box_on_a_frame_that_is_not_there(make: Callable[..., Grounder], clip: Path, scene: Scene) -> None:
    with pytest.raises(QueryError, match="frames 0 to"):
        make().follow(clip, scene.query, DrawnBox(scene.n_frames, np.array([0.1, 0.1, 0.2, 0.2])))
