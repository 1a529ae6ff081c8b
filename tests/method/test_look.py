from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from stvg_core.decomposition.rules import decompose
from stvg_core.method.look import look, look_one_way
from stvg_core.method.lra import learn
from stvg_core.method.maps import Maps, assemble, consistency, maps
from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.session import Session
from stvg_core.query import SubQueries
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Frames

QUERY = "the red circle moving left."


def highlight(session: Session, query: str, parts: SubQueries, settings: GroundingSettings) -> Maps:
    return maps(look(session, query, parts, settings), settings)


@pytest.mark.parametrize("operator", ["mean", "max", "product"])
def test_assembling_ignores_magnitude_and_keeps_agreement(operator: str) -> None:
    one = torch.tensor([[[1.0, 3.0]], [[0.5, 0.5]]])
    other = torch.tensor([[[0.1, 0.2]], [[0.2, 0.1]]])
    joined = assemble(one, other, operator)
    assert float(joined.sum()) == pytest.approx(1.0)
    torch.testing.assert_close(assemble(one * 100, other, operator), joined)
    torch.testing.assert_close(assemble(one, one, operator), one / one.sum())


def test_forward_goes_by_the_forward_map_alone() -> None:
    one, other = torch.rand(3, 2, 2), torch.rand(3, 2, 2)
    torch.testing.assert_close(assemble(one, other, "forward"), one / one.sum())
    with pytest.raises(ValueError, match="mean, max, product or forward"):
        assemble(one, other, "backward")


def test_consistency_is_one_for_equal_maps_of_any_scale() -> None:
    torch.manual_seed(0)
    one = torch.rand(3, 2, 2)
    assert consistency(one, one * 7) == pytest.approx(1.0)
    assert consistency(torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 1.0]]])) == pytest.approx(0.0)


@pytest.mark.parametrize("steps", [1, 3])
def test_re_attention_raises_the_objective(tiny: LoadedModel, noise: Callable[..., Frames], steps: int) -> None:
    session = Session(tiny, noise(4))
    parts = decompose(QUERY)
    questions = [parts.spatial_question, parts.temporal_question]
    settings = GroundingSettings(lra_rule="token_norm", lra_lr=0.01, lra_steps=steps)
    origin = session.zero_v().requires_grad_(True)
    prefix = session.prefill(origin)
    before = session.ask(prefix, questions)
    learnt = learn(session, origin, before.yes_minus_no, questions, settings)
    for number, (v, question) in enumerate(zip(learnt, questions, strict=True)):
        after = session.ask(session.prefill(v), [question]).yes_minus_no[0]
        assert after > before.yes_minus_no[number].detach()
    moved = learnt[0].norm(dim=-1).max() / session.visual.norm(dim=-1).mean()
    assert 0 < float(moved) <= 0.01 * steps * 1.001


def test_without_steps_v_stays_zero_and_plain_steps_scale_with_lr(
    tiny: LoadedModel, noise: Callable[..., Frames]
) -> None:
    session = Session(tiny, noise(4))
    parts = decompose(QUERY)
    found = [
        highlight(session, QUERY, parts, GroundingSettings(lra_steps=steps, lra_lr=lr, tas=False)).spatial
        for steps, lr in ((0, 8.0), (1, 0.0), (1, 8.0))
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=1.3e-6, atol=1e-5)
    assert np.abs(found[0] - found[2]).max() > 1e-6


@pytest.mark.parametrize("backwards", [False, True])
def test_a_step_that_overshoots_is_halved_and_then_dropped(
    tiny: LoadedModel, noise: Callable[..., Frames], backwards: bool
) -> None:
    """Steps of very different lengths, also the wrong way; with the guard "yes" is never less likely than without V."""
    session, parts = Session(tiny, noise(4)), decompose(QUERY)
    base = GroundingSettings(lra_rule="token_norm", tas_temporal=True)
    plain = look_one_way(session, QUERY, parts, replace(base, lra_steps=0), backwards=backwards)
    assert len(plain.v_share) == len(plain.yes_minus_no_after) == 0
    shares = set()
    for length in (0.01, 1.0, 4.0, 100.0, 1000.0, -0.05):
        free, held = (
            look_one_way(session, QUERY, parts, replace(base, lra_lr=length, lra_guard=guard), backwards=backwards)
            for guard in (False, True)
        )
        assert free.v_share.tolist() == [1.0, 1.0]
        np.testing.assert_allclose(free.yes_minus_no, held.yes_minus_no)
        assert (held.yes_minus_no_after >= held.yes_minus_no).all()
        for n, name in enumerate(("spatial", "temporal")):
            rows, share = getattr(held, name), float(held.v_share[n])
            shares.add(share)
            if share == 1.0:
                np.testing.assert_array_equal(rows, getattr(free, name))
                assert free.yes_minus_no_after[n] == held.yes_minus_no_after[n]
            else:
                assert free.yes_minus_no_after[n] < free.yes_minus_no[n]
                assert np.abs(rows - getattr(free, name)).max() > 1e-6
            if share == 0.0:
                np.testing.assert_allclose(rows, getattr(plain, name), atol=1e-7, rtol=1e-4)
                assert held.yes_minus_no_after[n] == held.yes_minus_no[n]
    assert {0.0, 1.0} < shares <= {0.0, 0.25, 0.5, 1.0}, "all of it, a part and nothing"


def test_what_the_guard_saw_is_in_the_evidence(tiny: LoadedModel, noise: Callable[..., Frames]) -> None:
    session, parts = Session(tiny, noise(4)), decompose(QUERY)
    settings = GroundingSettings(lra_rule="token_norm", lra_lr=0.01)
    one = highlight(session, QUERY, parts, replace(settings, lra_branches=("temporal",), tas=False)).info
    assert one["v_share"] == [None, 1.0], "the other branch learns nothing"
    info = highlight(session, QUERY, parts, settings).info
    assert info["v_share"] == [1.0, 1.0] and info["v_share_reversed"] == [1.0]
    for suffix in ("", "_reversed"):
        pairs = zip(info[f"yes_minus_no{suffix}"], info[f"yes_minus_no_after{suffix}"], strict=True)
        assert all(after > before for before, after in pairs)


def test_v_is_learnt_for_the_chosen_branches_only(tiny: LoadedModel, noise: Callable[..., Frames]) -> None:
    session, parts = Session(tiny, noise(4)), decompose(QUERY)
    base = GroundingSettings(lra_rule="token_norm", lra_lr=0.05, tas=False)
    both = look(session, QUERY, parts, base)
    without = look(session, QUERY, parts, replace(base, lra_steps=0))
    spatial = look(session, QUERY, parts, replace(base, lra_branches=("spatial",)))
    np.testing.assert_array_equal(without.spatial, without.temporal)
    np.testing.assert_allclose(spatial.spatial, both.spatial, atol=1e-7, rtol=1e-5)
    np.testing.assert_allclose(spatial.temporal, without.temporal, atol=1e-7, rtol=1e-5)
    assert np.abs(both.temporal - without.temporal).max() > 1e-6


def test_what_a_session_keeps_changes_no_answer(tiny: LoadedModel, noise: Callable[..., Frames]) -> None:
    """Queries on one session share its prefill at V = 0 and the neutral rows; each equals a query on a fresh one."""
    settings = GroundingSettings(lra_rule="token_norm", lra_lr=0.05, tas_question="reversed", tas_temporal=True)
    frames, queries = noise(4), [QUERY, "the green star growing.", "a square"]
    shared = Session(tiny, frames)
    for query in queries:
        one = highlight(shared, query, decompose(query), settings)
        other = highlight(Session(tiny, frames), query, decompose(query), settings)
        np.testing.assert_allclose(one.spatial, other.spatial, atol=1e-7, rtol=1e-4)
        np.testing.assert_allclose(one.temporal, other.temporal, atol=1e-7, rtol=1e-4)
        assert one.info.keys() == other.info.keys()


@pytest.mark.parametrize("question", ["query", "reversed"])
def test_tas_turns_the_reversed_map_back(tiny: LoadedModel, noise: Callable[..., Frames], question: str) -> None:
    """Forward and reversed roles swap when the video itself is reversed (and so is the action, where it is turned)."""
    frames = noise(5)
    back = Frames(frames.pixels[::-1].copy(), frames.indices, frames.seconds)
    settings = replace(
        GroundingSettings(), lra_rule="token_norm", lra_lr=0.05, tas_question=question, tas_temporal=True
    )
    sentence = QUERY if question == "query" else "the red circle moving right."
    one = highlight(Session(tiny, frames), QUERY, decompose(QUERY), settings)
    other = highlight(Session(tiny, back), sentence, decompose(sentence), settings)
    np.testing.assert_allclose(one.spatial_reversed, other.spatial_forward[::-1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(one.spatial, other.spatial[::-1], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(one.temporal, other.temporal[::-1], rtol=1e-4, atol=1e-6)
    assert one.consistency == pytest.approx(other.consistency, abs=1e-5)
    assert -1 <= one.consistency <= 1


@pytest.mark.parametrize("backwards", [False, True])
def test_v_s_may_be_learnt_with_the_whole_sentence(
    tiny: LoadedModel, noise: Callable[..., Frames], backwards: bool
) -> None:
    """Then V_s is what it would be if the attribute were the sentence; V_t and the sentence's rows without V stay."""
    session, parts = Session(tiny, noise(4)), decompose(QUERY)
    base = GroundingSettings(lra_rule="token_norm", lra_lr=0.05, lra_guard=False, tas_temporal=True)
    sentence = replace(parts, attribute="the red circle moving left")
    by_setting = look_one_way(session, QUERY, parts, replace(base, v_s_question="sentence"), backwards=backwards)
    by_parts = look_one_way(session, QUERY, sentence, base, backwards=backwards)
    usual = look_one_way(session, QUERY, parts, base, backwards=backwards)
    np.testing.assert_array_equal(by_setting.spatial, by_parts.spatial)
    np.testing.assert_array_equal(by_setting.yes_minus_no, by_parts.yes_minus_no)
    assert np.abs(by_setting.spatial - usual.spatial).max() > 1e-6
    np.testing.assert_allclose(by_setting.temporal, usual.temporal, atol=1e-7, rtol=1e-4)
