from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from stvg_core.decomposition.rules import decompose
from stvg_core.grounding.dsth import highlight
from stvg_core.grounding.tas import assemble, consistency
from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.session import Session
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Frames

QUERY = "the red circle moving left."


@pytest.mark.parametrize("operator", ["mean", "max", "product"])
def test_assembling_ignores_magnitude_and_keeps_agreement(operator: str) -> None:
    one = torch.tensor([[[1.0, 3.0]], [[0.5, 0.5]]])
    other = torch.tensor([[[0.1, 0.2]], [[0.2, 0.1]]])
    joined = assemble(one, other, operator)
    assert float(joined.sum()) == pytest.approx(1.0)
    torch.testing.assert_close(assemble(one * 100, other, operator), joined)
    torch.testing.assert_close(assemble(one, one, operator), one / one.sum())


def test_consistency_is_one_for_equal_maps_of_any_scale() -> None:
    torch.manual_seed(0)
    one = torch.rand(3, 2, 2)
    assert consistency(one, one * 7) == pytest.approx(1.0)
    assert consistency(torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 1.0]]])) == pytest.approx(0.0)


@pytest.mark.parametrize("steps", [1, 3])
def test_re_attention_raises_the_objective(tiny: LoadedModel, noise: Callable[..., Frames], steps: int) -> None:
    from stvg_core.grounding.lra import learn_prompts

    session = Session(tiny, noise(4))
    parts = decompose(QUERY)
    questions = [parts.spatial_question, parts.temporal_question]
    settings = GroundingSettings(lra_rule="token_norm", lra_lr=0.01, lra_steps=steps)
    origin = session.zero_prompt().requires_grad_(True)
    prefix = session.prefill(origin)
    before = session.ask(prefix, questions)
    prompts = learn_prompts(session, origin, before, questions, settings)
    for number, (prompt, question) in enumerate(zip(prompts, questions, strict=True)):
        after = session.ask(session.prefill(prompt), [question]).yes_minus_no[0]
        assert after > before.yes_minus_no[number].detach()
    moved = prompts[0].norm(dim=-1).max() / session.visual.norm(dim=-1).mean()
    assert 0 < float(moved) <= 0.01 * steps * 1.001


def test_without_steps_the_prompts_stay_zero_and_plain_steps_scale_with_lr(
    tiny: LoadedModel, noise: Callable[..., Frames]
) -> None:
    session = Session(tiny, noise(4))
    parts = decompose(QUERY)
    maps = [
        highlight(session, QUERY, parts, GroundingSettings(lra_steps=steps, lra_lr=lr, tas=False)).spatial
        for steps, lr in ((0, 8.0), (1, 0.0), (1, 8.0))
    ]
    torch.testing.assert_close(maps[0], maps[1])
    assert (maps[0] - maps[2]).abs().max() > 1e-6


def test_tas_turns_the_reversed_map_back(tiny: LoadedModel, noise: Callable[..., Frames]) -> None:
    """Forward and reversed roles swap when the video itself is reversed."""
    frames = noise(5)
    turned = Frames(frames.pixels[::-1].copy(), frames.indices, frames.seconds)
    settings = replace(GroundingSettings(), lra_rule="token_norm", lra_lr=0.05)
    parts = decompose(QUERY)
    one = highlight(Session(tiny, frames), QUERY, parts, settings)
    other = highlight(Session(tiny, turned), QUERY, parts, settings)
    torch.testing.assert_close(one.spatial_reversed, other.spatial_forward.flip(0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(one.spatial, other.spatial.flip(0), rtol=1e-4, atol=1e-6)
    assert one.consistency == pytest.approx(other.consistency, abs=1e-5)
    assert -1 <= one.consistency <= 1
