"""The first gradients of several questions: back through one prefill as one batch, or one after the other."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from stvg_core.method import lra
from stvg_core.mllm.session import Prefix
from stvg_core.settings import GroundingSettings

SETTINGS = GroundingSettings(lra_rule="plain", lra_lr=0.5)


def on_paper(count: int) -> tuple[torch.Tensor, Prefix, torch.Tensor]:
    """V = 0, two layers of a prefill at it, and how far each of ``count`` questions is from yes."""
    torch.manual_seed(0)
    zero = torch.zeros(2, 3, 4, requires_grad=True)
    layers = [((zero + 1) * (n + 2), (zero + 0.5) ** 2 * (n + 1)) for n in range(2)]
    shapes = torch.randn(count, 2, 2, *zero.shape)
    margins = [
        sum(
            (weights * state).sum()
            for layer, pair in zip(own, layers, strict=True)
            for weights, state in zip(layer, pair, strict=True)
        )
        for own in shapes
    ]
    return zero, Prefix(keys_values=layers, length=0, next_position=0), torch.stack(margins)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_batch_gives_what_one_after_the_other_gives(count: int) -> None:
    zero, prefix, margins = on_paper(count)
    losses = lra.lra_loss(margins)
    together = lra._gradients(losses, zero, prefix)
    alone = lra._gradients(losses, zero, None)  # again: the graph is still there
    assert len(together) == count
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other)
        assert one.abs().sum() > 0


@pytest.mark.parametrize(("count", "given", "batches"), [(1, True, 0), (2, True, 1), (3, True, 1), (2, False, 0)])
def test_two_questions_are_a_batch_already_and_only_where_it_is_said(
    monkeypatch: pytest.MonkeyPatch, count: int, given: bool, batches: int
) -> None:
    zero, prefix, margins = on_paper(count)
    asked: list[bool] = []
    grad = torch.autograd.grad

    def counted(*args: Any, **more: Any) -> Any:
        asked.append(bool(more.get("is_grads_batched")))
        return grad(*args, **more)

    monkeypatch.setattr(torch.autograd, "grad", counted)
    questions = ["?"] * count
    learnt = lra.learn(  # type: ignore[arg-type]
        None, zero, margins, questions, SETTINGS, backwards=False, together=prefix if given else None
    )
    assert len(learnt) == count and sum(asked) == batches
