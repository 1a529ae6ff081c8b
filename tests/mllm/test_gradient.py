"""The gradient to the learnable prompt, through keys and values shared by several questions, in double precision."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from stvg_core.method.lra import lra_loss
from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.session import Session
from stvg_core.tube import Frames

QUESTIONS = ["Is there the red circle in this video?", "the red circle moving left."]


@pytest.fixture(scope="module")
def doubled(any_family: LoadedModel) -> LoadedModel:
    """The same model in float64 throughout: transformers' own norms would go through float32."""
    model = copy.deepcopy(any_family.model).double()
    for name, module in list(model.model.language_model.named_modules()):
        if type(module).__name__.endswith("RMSNorm"):
            norm = torch.nn.RMSNorm(module.weight.shape, module.variance_epsilon, dtype=torch.float64)
            norm.weight = module.weight
            model.model.language_model.set_submodule(name, norm)
    return replace(any_family, model=model)


@pytest.mark.parametrize("backwards", [False, True])
def test_the_gradient_equals_finite_differences(
    doubled: LoadedModel, noise: Callable[..., Frames], backwards: bool
) -> None:
    session = Session(doubled, noise(4))

    def margin(v: torch.Tensor) -> torch.Tensor:
        # The second question alone: the first shares the prefix and must not leak into the gradient.
        return session.ask(session.prefill(v, backwards=backwards), QUESTIONS).yes_minus_no[1]

    v = session.zero_v().requires_grad_(True)
    assert v.dtype == torch.float64
    value = margin(v)
    (gradient,) = torch.autograd.grad(value, v)
    torch.manual_seed(1)
    for _ in range(3):
        direction = torch.randn_like(gradient)
        step = 1e-4 * direction / direction.norm()
        measured = (margin(v.detach() + step) - margin(v.detach() - step)) / 2
        torch.testing.assert_close(measured, (gradient * step).sum(), rtol=1e-6, atol=1e-6 * 1e-4 * gradient.norm())
    assert gradient.norm() > 0


def test_the_gradient_of_the_objective_is_that_of_its_exponent(
    doubled: LoadedModel, noise: Callable[..., Frames]
) -> None:
    session = Session(doubled, noise(4))
    v, prefix = session.origin(backwards=False, learnable=True)
    value = session.ask(prefix, QUESTIONS).yes_minus_no[1]
    (gradient,) = torch.autograd.grad(value, v, retain_graph=True)
    (of_loss,) = torch.autograd.grad(lra_loss(value), v)
    expected = -value.detach().exp() * gradient
    assert (of_loss - expected).abs().max() <= 1e-12 * expected.abs().max()


def test_single_precision_follows_double_precision(
    any_family: LoadedModel, doubled: LoadedModel, noise: Callable[..., Frames]
) -> None:
    def gradient(loaded: LoadedModel) -> torch.Tensor:
        session = Session(loaded, noise(4))
        v, prefix = session.origin(backwards=False, learnable=True)
        (found,) = torch.autograd.grad(session.ask(prefix, QUESTIONS).yes_minus_no[1], v)
        return found.double()

    exact = gradient(doubled)
    assert (gradient(any_family) - exact).norm() <= 1e-4 * exact.norm()
