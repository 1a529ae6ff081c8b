"""The whole way with a model that looks: rendered clips, painted pictures, HTTP, answers good, sloppy and wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.language import EndpointError, PictureChat
from stvg_core.demo.clips import write_clip
from stvg_core.demo.evaluate import scene_truth
from stvg_core.demo.scenes import Scene
from stvg_core.drawing import write_plot
from stvg_core.locating.answer_text import CUT, IN_WORDS, SWAPPED
from stvg_core.locating.showing import AnswerError
from stvg_core.metrics import viou
from stvg_core.pipeline import Grounder
from stvg_core.proposals.embedded_proposer import EmbeddedProposer
from stvg_core.tube import Track
from stvg_core.video import VideoReader
from tests.looking.measure import measured, scenes, settings_for
from tests.looking.mind import Facts
from tests.looking.server import MODEL, Looking, as_json, good, looking

NEAR = 0.02
"""So near the mean comes to that of the best candidate between the true ends."""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Scene, Path, list[Track]]]:
    """Three clips with the embedded proposer's candidates."""
    found = []
    for scene in scenes(3):
        path = write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", scene)
        with VideoReader(path) as video:
            found.append((scene, path, EmbeddedProposer(max_pictures=40).propose(video)))
    return found


@pytest.fixture
def server() -> Iterator[Looking]:
    with looking() as found:
        yield found


def grounder(server: Looking, locator: str, **changes: object) -> Grounder:
    return Grounder.over(PictureChat(server.url, MODEL, pause=0.01), settings_for(locator, **changes), device="cpu")


@pytest.mark.parametrize("locator", ["speak", "marks", "pick"])
def test_words_reach_the_bound_of_the_candidates(
    server: Looking, clips: list[tuple[Scene, Path, list[Track]]], locator: str
) -> None:
    made = grounder(server, locator)
    rows = [measured(made, scene, path, tracks) for scene, path, tracks in clips]
    bound, reached = (float(np.mean([getattr(row, name) for row in rows])) for name in ("bound", "viou"))
    assert bound > 0.8, "the proposer finds the object"
    assert reached > bound - NEAR, rows
    assert max(max(seen.size) for seen in server.seen) <= 448
    assert max(len(seen.pictures) for seen in server.seen) <= 32


def _prose(facts: Facts) -> str:
    assert facts.span is not None
    start, end = facts.span
    return f"Let me look.\nIt is number {facts.number}: the event happens in {start:.2f} - {end:.2f} seconds."


def _minutes(facts: Facts) -> str:
    """As models write that know times as mm:ss.ff, in a fence, after a first guess."""
    found = as_json(facts)
    for name in ("start", "end"):
        minutes, seconds = divmod(found[name], 60)
        found[name] = f"{int(minutes):02d}:{seconds:05.2f}"
    return f'First {{"number": 1, "start": 0, "end": 1}}, no:\n```json\n{json.dumps(found)}\n```'


def _reversed(facts: Facts) -> str:
    found = as_json(facts)
    return json.dumps(found | {"start": found["end"], "end": found["start"]})


def _too_long(facts: Facts) -> str:
    found = as_json(facts)
    return json.dumps(found | {"start": -3})


@pytest.mark.parametrize(
    ("says", "repairs"), [(_prose, (IN_WORDS,)), (_minutes, ()), (_reversed, (SWAPPED,)), (_too_long, (CUT,))]
)
def test_sloppy_answers_are_mended_and_said_so(
    clips: list[tuple[Scene, Path, list[Track]]], says: object, repairs: tuple[str, ...]
) -> None:
    scene, path, tracks = clips[0]
    with looking(says) as server:  # type: ignore[arg-type]
        found = grounder(server, "marks", second_look=False).ground(path, scene.query, tracks=tracks)
    assert found.evidence.said is not None and found.evidence.said.repairs == repairs
    assert found.tube is not None
    assert viou(found.tube, scene_truth(scene)) > (0.4 if says is _too_long else 0.8)


def _in_pixels(facts: Facts) -> str:
    found = as_json(facts)
    assert facts.boxes is not None
    for entry, (_, box) in zip(found["boxes"], facts.boxes, strict=True):
        entry["box"] = [round(float(side)) for side in box]
    return json.dumps(found)


def test_the_plot_and_the_json_need_no_attention(
    server: Looking, clips: list[tuple[Scene, Path, list[Track]]], tmp_path: Path
) -> None:
    scene, path, tracks = clips[0]
    found = grounder(server, "marks", second_look=False).ground(path, scene.query, tracks=tracks)
    assert write_plot(found, tmp_path / "scores.png").stat().st_size > 10_000
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["score"] == 1.0


def test_boxes_in_pixels_find_the_same_candidate(server: Looking, clips: list[tuple[Scene, Path, list[Track]]]) -> None:
    scene, path, tracks = clips[0]
    wanted = grounder(server, "speak", second_look=False).ground(path, scene.query, tracks=tracks)
    with looking(_in_pixels) as other:
        found = grounder(other, "speak", second_look=False).ground(path, scene.query, tracks=tracks)
    assert found.evidence.chosen == wanted.evidence.chosen


def test_a_named_box_is_followed_where_there_is_no_candidate(
    server: Looking, clips: list[tuple[Scene, Path, list[Track]]]
) -> None:
    scene, path, _ = clips[0]
    found = grounder(server, "speak").ground(path, scene.query, tracks=[])
    assert found.tube is not None and viou(found.tube, scene_truth(scene)) > 0.7


def test_a_wrong_number_is_asked_for_again_and_a_refusal_is_quoted(
    clips: list[tuple[Scene, Path, list[Track]]],
) -> None:
    scene, path, tracks = clips[0]
    with looking(lambda facts: '{"number": 77, "start": 1, "end": 2}', good) as server:
        found = grounder(server, "marks", second_look=False).ground(path, scene.query, tracks=tracks)
        assert found.tube is not None and "77 was not painted" in server.seen[1].words
    with looking(lambda facts: "I am sorry, I cannot <b>identify</b> anybody.") as server:
        with pytest.raises(AnswerError, match="I am sorry, I cannot <b>identify</b> anybody"):
            grounder(server, "marks").ground(path, scene.query, tracks=tracks)
        assert len(server.seen) == 2


def test_another_model_and_another_path_are_said(server: Looking, clips: list[tuple[Scene, Path, list[Track]]]) -> None:
    scene, path, tracks = clips[0]
    for url, model, words in ((server.url, "other", "no model 'other'"), (f"{server.url}/x", MODEL, "ends in /v1")):
        made = Grounder.over(PictureChat(url, model), settings_for("marks"), device="cpu")
        with pytest.raises(EndpointError, match=words):
            made.ground(path, scene.query, tracks=tracks)
