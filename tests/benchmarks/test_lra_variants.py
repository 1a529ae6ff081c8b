"""The experiments' own step is the product's where they do the same, and the other forms move V as they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.lra_steps import Slope, Variant, each_token, plain, square_root, token_norm
from benchmarks.lra_variants import Looking
from stvg_core.decomposition.rules import decompose
from stvg_core.demo import MODEL_DIR
from stvg_core.demo.clips import split_scene
from stvg_core.method.look import look_one_way
from stvg_core.mllm.loading import load
from stvg_core.query import as_statement
from stvg_core.settings import GroundingSettings, resolve

SCENE = split_scene("validation", 5998, difficulty="crowded")


@pytest.fixture(scope="module")
def settings() -> GroundingSettings:
    return replace(resolve(MODEL_DIR, None), tas=False, second_look=False, lra_steps=1, lra_guard=False)


@pytest.fixture(scope="module")
def looking(settings: GroundingSettings) -> Looking:
    return Looking(load(MODEL_DIR, device="cpu"), SCENE, settings)


@pytest.mark.parametrize(
    ("variant", "change"),
    [
        (Variant(token_norm(0.03)), {"lra_lr": 0.03}),
        (Variant(token_norm(0.03), times=2), {"lra_lr": 0.03, "lra_steps": 2}),
        (Variant(plain(0.02)), {"lra_rule": "plain", "lra_lr": 0.02}),
    ],
    ids=["token_norm", "two steps", "plain"],
)
def test_it_sees_what_the_product_sees(
    looking: Looking, settings: GroundingSettings, variant: Variant, change: dict[str, object]
) -> None:
    parts = decompose(SCENE.query, "phrase")
    changed = replace(settings, **change)  # type: ignore[arg-type]
    expected = look_one_way(looking.session, as_statement(SCENE.query), parts, changed)
    questions = (parts.spatial_question, parts.temporal_question)
    for n, (question, rows) in enumerate(zip(questions, (expected.spatial, expected.temporal), strict=True)):
        found, raised = looking.seen_with(variant, question)
        np.testing.assert_allclose(found.numpy(), rows, rtol=1e-3, atol=1e-6)
        assert raised == pytest.approx(expected.yes_minus_no_after[n] - expected.yes_minus_no[n], abs=1e-3)
        assert abs(raised) > 1e-3


def test_a_question_whose_margin_is_not_low_learns_nothing(looking: Looking) -> None:
    question = decompose(SCENE.query, "phrase").spatial_question
    still, nothing = looking.seen_with(Variant(token_norm(0.1), below=-100.0), question)
    moved, something = looking.seen_with(Variant(token_norm(0.1), below=100.0), question)
    assert nothing == 0.0 and something != 0.0
    assert not torch.equal(still, moved)


def test_v_in_front_of_another_layer_is_another_v(looking: Looking) -> None:
    question = decompose(SCENE.query, "phrase").spatial_question
    first, raised = looking.seen_with(Variant(token_norm(0.03)), question)
    third, raised_too = looking.seen_with(Variant(token_norm(0.03), layer=2), question)
    assert raised > 0 and raised_too > 0
    assert (first - third).abs().max() > 1e-5


def test_forms_of_the_step() -> None:
    torch.manual_seed(0)
    at = Slope(2.0, torch.randn(3, 4, 8), torch.rand(3, 4, 1) + 1)
    moved = each_token(0.01)(at)
    torch.testing.assert_close(moved.norm(dim=-1, keepdim=True), 0.01 * at.norms)
    largest = at.gradient.norm(dim=-1).max()
    for step in (token_norm(0.03), square_root(0.03)):
        assert float(step(at).norm(dim=-1).max()) == pytest.approx(0.03 * float(at.norms.mean()), rel=1e-5)
    lengths = square_root(0.03)(at).norm(dim=-1) / (0.03 * at.norms.mean())
    torch.testing.assert_close(lengths, (at.gradient.norm(dim=-1) / largest).sqrt())
    torch.testing.assert_close(plain(8.0, 4.0)(at), 2 * float(np.exp(0.5)) * at.gradient)
