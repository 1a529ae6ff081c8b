"""The method against its straight re-statement: the same maps, scores, track, interval, whatever the settings."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any
from zlib import crc32

import numpy as np
import pytest

from stvg_core.method.join import join, second_look_of, second_scores
from stvg_core.method.look import look, look_again
from stvg_core.method.maps import Maps, maps
from stvg_core.query import SubQueries
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Array, Track
from tests.method import straight
from tests.method.stand_in import Says, StandIn

T, H, W, D, FRAMES = 6, 2, 3, 4, 61
SLOTS = np.array([5, 15, 25, 36, 46, 56])
QUERY = "the man on the left who stands up."
PARTS = SubQueries("the man on the left", "the man stands up", found=True)
FORWARD = ["Is there the man on the left in this video?", "Is there the man stands up in this video?"]
BACKWARD = {
    "query": (QUERY, FORWARD),
    "attribute": ("the man on the left.", FORWARD),
    "reversed": ("the man on the left who sits down.", [FORWARD[0], "Is there the man sits down in this video?"]),
}
CHOICES: dict[str, list[Any]] = {
    "attention": ["relative", "raw"], "guard": [0.0, 0.1, 1.0], "role_tokens": ["gti", "mean", "token-1", "token-9"],
    "tas": [True, True, False], "tas_operator": ["mean", "max", "product", "forward"], "tas_temporal": [True, False],
    "tas_question": list(BACKWARD), "lra_steps": [0, 1, 2, 3], "lra_rule": ["plain", "token_norm"],
    "lra_lr": [0.02, 0.5, 2.0], "lra_guard": [True, False], "coverage": ["fraction", "peak"],
    "ties": ["excess", "first"], "gti_rows": ["same", "relative", "raw"],
    "lra_branches": [("spatial", "temporal"), ("spatial",), ("temporal",), ()], "proposer_weight": [None, 0.0, 2.0],
    "interval": ["segment", "top_k"], "top_k": [1, 2, 4], "centre": [0.3, 0.5, 0.8], "layers": [None, (0, 2)],
    "temporal_heads": [None, ("0.1",), ("0.2", "3.0", "3.1")],
}  # fmt: skip


def drawn(seed: int) -> GroundingSettings:
    random = np.random.default_rng(seed)
    picked = {name: values[random.integers(len(values))] for name, values in CHOICES.items()}
    return GroundingSettings(n_slots=T, **picked)


def squeezed(boxes: Array) -> Array:
    """A view that shows the middle of the frame."""
    return (boxes - 0.1) / 0.8


def model(seed: int) -> StandIn:
    @cache
    def says(question: str) -> Says:
        random = np.random.default_rng([seed, crc32(question.encode())])
        watched = 4 if question.endswith(".") else 3
        slope = random.normal(0, 0.3, (T, H * W, D))
        return Says(random.normal(), slope, random.uniform(0.01, 1, (watched, T, H, W)), random.uniform(0, 0.5))

    cells = np.random.default_rng(seed).uniform(0.5, 1.5, (T, H * W, D))
    return StandIn(cells, (H, W), says, squeezed)


def tracks(seed: int) -> list[Track]:
    random = np.random.default_rng(seed)
    found = []
    for frames in ([0, 30, 60], [0, 10, 60], [10, 22, 40], [20, 21, 60]):
        corners = np.sort(random.uniform(0, 1, (3, 2, 2)), axis=1)  # frame, low or high, x or y
        found.append(Track(np.array(frames), corners.reshape(3, 4), float(random.uniform(0.3, 1))))
    return found


def both_ways(seed: int) -> tuple[GroundingSettings, StandIn, Any, straight.Found, Maps]:
    settings, seen = drawn(seed), model(seed)
    rows = look(seen, QUERY, PARTS, settings)  # type: ignore[arg-type]
    turned, questions = BACKWARD[settings.tas_question]
    wanted = straight.maps(seen, QUERY, turned, [FORWARD, questions], settings)
    return settings, seen, rows, wanted, maps(rows, settings)


@pytest.mark.parametrize("seed", range(60))
def test_the_maps_are_those_of_the_straight_way(seed: int) -> None:
    settings, _, rows, wanted, found = both_ways(seed)
    for name, expected in (
        ("spatial", wanted.spatial), ("temporal", wanted.temporal), ("spatial_forward", wanted.forward),
        ("spatial_reversed", wanted.backward),
    ):  # fmt: skip
        np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-4, atol=1e-7, err_msg=name)
    np.testing.assert_allclose(found.consistency, wanted.consistency, rtol=1e-4)
    assert settings.tas == ("spatial_token_reversed" in found.info) == ("yes_minus_no_reversed" in found.info)
    ways = [rows] if rows.backward is None else [rows, rows.backward]
    np.testing.assert_allclose(np.concatenate([way.yes_minus_no for way in ways]), wanted.margins, rtol=1e-5)
    if settings.lra_steps and settings.lra_branches == ("spatial", "temporal"):
        np.testing.assert_allclose(np.concatenate([way.v_share for way in ways]), wanted.shares)
        after = np.concatenate([way.yes_minus_no_after for way in ways])
        np.testing.assert_allclose(after, wanted.after, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("seed", range(60))
def test_the_answer_is_that_of_the_straight_way(seed: int) -> None:
    settings, seen, rows, _, found = both_ways(seed)
    candidates, usual = tracks(seed), 0.7
    evidence, choice = join(rows, found, candidates, SLOTS, seen.view, FRAMES, settings, usual)

    boxes = [[squeezed(track.at(np.array([frame]))[0]) for frame in SLOTS] for track in candidates]
    where, when = (
        np.array([[straight.brightest(one[t], box[t], settings) for t in range(T)] for box in boxes])
        for one in (found.spatial, found.temporal)
    )
    np.testing.assert_allclose(evidence.frame_scores, when, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(evidence.track_scores, where.max(axis=1), rtol=1e-5)
    weight = usual if settings.proposer_weight is None else settings.proposer_weight
    preferred = [score.max() * track.score**weight for score, track in zip(where, candidates, strict=True)]
    best = int(np.argmax(preferred))
    if settings.ties == "excess":
        left = [n for n, one in enumerate(preferred) if one >= preferred[best] * (1 - 1e-6)]
        best = max(left, key=lambda n: straight.excess(found.spatial, boxes[n], settings))
    assert choice.chosen == best == evidence.chosen
    first, last = straight.span(list(when[choice.chosen]), settings)
    assert choice.span == straight.in_frames(SLOTS.tolist(), (first, last), 0, FRAMES - 1)
    assert evidence.info["choice_weight"] == weight and evidence.info["proposer_weight"] == usual
    assert evidence.info["tas_temporal"] == (settings.tas and settings.tas_temporal)
    np.testing.assert_allclose(evidence.proposer_scores, [track.score for track in candidates])
    for n, track in enumerate(candidates):
        assert evidence.ends[n].tolist() == [track.frames[0], track.frames[-1]]
        np.testing.assert_array_equal(evidence.end_boxes[n], track.boxes[[0, -1]])


@pytest.mark.parametrize("seed", range(20))
def test_the_second_look_is_the_straight_way_without_v(seed: int) -> None:
    settings, seen, candidates = drawn(seed), model(seed), tracks(seed)
    rows = look_again(seen, QUERY, PARTS, settings)  # type: ignore[arg-type]
    dense = candidates[0]
    second = second_look_of(rows, (5, 56), SLOTS, seen.view, candidates, 0, dense)
    turned, questions = BACKWARD[settings.tas_question]
    plain = replace(settings, lra_steps=0, tas=settings.tas and settings.tas_temporal)
    temporal = straight.maps(seen, QUERY, turned, [FORWARD, questions], plain).temporal
    expected = [
        [straight.brightest(temporal[t], squeezed(track.at(SLOTS)[t]), settings) for t in range(T)]
        for track in candidates
    ]
    np.testing.assert_allclose(second_scores(second, settings), expected, rtol=1e-4, atol=1e-8)
