"""The baselines: the straight flow is the same method, and the released flow does the work that it is said to do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks import flows
from benchmarks.scores import Scores, difference, must_agree
from benchmarks.shapes import PARTS, QUERY, SHAPES, build, random_boxes, random_frames
from benchmarks.unshared import Unshared, eager
from stvg_core.method.evidence import Rows
from stvg_core.mllm.attention_rows import IMPLEMENTATION
from stvg_core.mllm.loading import LoadedModel
from stvg_core.settings import GroundingSettings

SLOTS = 4
# A large step, so that a wrong gradient or a prompt in the wrong order shows in the maps.
SETTINGS = GroundingSettings(lra_rule="token_norm", lra_lr=0.5, lra_guard=False)


@pytest.fixture(scope="module", params=sorted(SHAPES))
def loaded(request: pytest.FixtureRequest) -> LoadedModel:
    model = build(request.param, device="cpu", dtype=torch.float32, tiny=True)
    with torch.no_grad():
        # Weights of a fresh model are so small that attention hardly depends on what is asked.
        for weight in model.model.model.language_model.parameters():
            if weight.ndim == 2:
                weight.mul_(8)
    return model


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS,
        replace(SETTINGS, lra_steps=2, tas=False),
        replace(SETTINGS, lra_branches=("temporal",), layers=(1,)),
        replace(SETTINGS, lra_rule="plain", lra_lr=0.1),
        replace(SETTINGS, v_s_question="sentence"),
    ],
    ids=["whole method", "two steps", "one branch, one layer", "plain step", "V_s of the sentence"],
)
def test_the_straight_flow_gives_the_same_scores(loaded: LoadedModel, settings: GroundingSettings) -> None:
    frames = random_frames(loaded.family.model_type, tiny=True, slots=SLOTS)
    session, rows = flows.ours(loaded, frames, QUERY, PARTS, settings)
    boxes = random_boxes(SLOTS)
    with eager(loaded.model):
        asker = Unshared(loaded, frames, session.shape, layers=settings.layers)
        other = flows.straight(asker, QUERY, PARTS, settings)
    apart = must_agree(Scores.of(other, boxes, settings), Scores.of(rows, boxes, settings))
    assert max(apart.values()) < 1e-3
    np.testing.assert_allclose(rows.neutral, other.neutral, atol=1e-6)


def test_without_the_learnt_prompt_the_scores_are_others(loaded: LoadedModel) -> None:
    """So the comparison above does look at what LRA does."""
    frames = random_frames(loaded.family.model_type, tiny=True, slots=SLOTS)
    boxes = random_boxes(SLOTS)
    _, rows = flows.ours(loaded, frames, QUERY, PARTS, SETTINGS)
    _, without = flows.ours(loaded, frames, QUERY, PARTS, replace(SETTINGS, lra_steps=0))
    assert difference(Scores.of(without, boxes, SETTINGS), Scores.of(rows, boxes, SETTINGS))["maps"] > 1e-2


@pytest.mark.parametrize("vision_once", [False, True])
def test_the_released_flow_does_its_work(loaded: LoadedModel, vision_once: bool) -> None:
    frames = random_frames(loaded.family.model_type, tiny=True, slots=SLOTS)
    session, _ = flows.ours(loaded, frames, QUERY, PARTS, SETTINGS)
    tower_runs, lengths = [], []
    inner = loaded.model.model
    tower = inner.vision_tower if hasattr(inner, "vision_tower") else inner.visual
    hooks = [
        tower.register_forward_hook(lambda *_: tower_runs.append(1)),
        inner.language_model.register_forward_hook(
            lambda module, args, kwargs, output: lengths.append(output.last_hidden_state.shape[1]), with_kwargs=True
        ),
    ]
    try:
        with eager(loaded.model):
            asker = Unshared(loaded, frames, session.shape, vision_once=vision_once)
            rows = flows.released(asker, PARTS, SETTINGS)
    finally:
        for hook in hooks:
            hook.remove()
    assert sum(length > 1 for length in lengths) == asker.prefills == 18
    assert sum(length == 1 for length in lengths) == asker.decodes == 90
    assert asker.backwards == 12
    assert len(tower_runs) == (1 if vision_once else 18)
    assert rows.backward is not None
    assert rows.spatial.shape[1:] == session.shape


def test_eager_is_left_behind(loaded: LoadedModel) -> None:
    with pytest.raises(RuntimeError), eager(loaded.model):
        raise RuntimeError
    assert loaded.model.config.get_text_config()._attn_implementation == IMPLEMENTATION


def test_other_scores_are_noticed() -> None:
    some = np.random.default_rng(0).random((3, 2, SLOTS, 3, 3), dtype=np.float32)
    settings = GroundingSettings(tas=False)
    rows, moved = Rows(*some), Rows(some[0] * (1 + np.float32(0.01) * some[1]), some[1], some[2])
    boxes = random_boxes(SLOTS)
    assert must_agree(Scores.of(rows, boxes, settings), Scores.of(rows, boxes, settings))["maps"] == 0
    with pytest.raises(AssertionError, match="do not give the same scores"):
        must_agree(Scores.of(moved, boxes, settings), Scores.of(rows, boxes, settings))
