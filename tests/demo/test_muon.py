"""The recipe's Muon does what torch's does, but for torch's rounding to bfloat16."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from stvg_core.demo.recipe.muon import MOMENTUM, WEIGHT_DECAY, Muon, orthogonal


@pytest.mark.parametrize("shape", [(24, 24), (48, 16), (16, 40)])
def test_singular_values_become_about_one_and_the_directions_stay(shape: tuple[int, int]) -> None:
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    left, _, right = torch.linalg.svd(drawn, full_matrices=False)
    matrix = left @ torch.linspace(1, 0.2, min(shape), dtype=torch.float64).diag() @ right
    within = left.T @ orthogonal(matrix) @ right.T
    assert within.diag().min() > 0.6 and within.diag().max() < 1.3
    assert (within - within.diag().diag()).abs().max() < 1e-6


def test_the_same_way_as_torch() -> None:
    torch.manual_seed(5)
    begin = [torch.randn(24, 16), torch.randn(16, 32)]
    gradients = [[torch.randn_like(matrix) for matrix in begin] for _ in range(6)]
    ours, theirs = ([nn.Parameter(matrix.clone()) for matrix in begin] for _ in range(2))
    optimisers = (
        Muon(ours, lr=0.01),
        torch.optim.Muon(theirs, lr=0.01, weight_decay=WEIGHT_DECAY, momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw"),
    )
    for drawn in gradients:
        for matrices, optimiser in zip((ours, theirs), optimisers, strict=True):
            for matrix, gradient in zip(matrices, drawn, strict=True):
                matrix.grad = gradient.clone()
            optimiser.step()
    for first, own, other in zip(begin, ours, theirs, strict=True):
        way = (other - first).norm()
        assert way > 0.1 and (own - other).norm() < 0.03 * way


def test_a_run_goes_on_from_its_state() -> None:
    torch.manual_seed(6)
    gradients = [torch.randn(8, 8) for _ in range(4)]
    matrix = nn.Parameter(torch.randn(8, 8))
    other = nn.Parameter(matrix.detach().clone())
    whole, optimiser = Muon([matrix], lr=0.1), Muon([other], lr=0.1)
    for number, gradient in enumerate(gradients):
        matrix.grad, other.grad = gradient.clone(), gradient.clone()
        whole.step()
        optimiser.step()
        if number == 1:
            state = optimiser.state_dict()
            optimiser = Muon([other], lr=0.5)
            optimiser.load_state_dict(state)
    assert torch.equal(matrix, other)
