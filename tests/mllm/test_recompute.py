"""Less memory for the gradient: the same numbers, and as little is kept as the list of checkpoints says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
import torch

from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.recompute import is_short, recomputing
from stvg_core.mllm.session import Session
from stvg_core.tube import Frames

QUESTIONS = ["Is there the red circle in this video?", "the red circle moving left.", "a star"]


@dataclass
class Seen:
    margin: torch.Tensor
    gradients: list[torch.Tensor]


def look(loaded: LoadedModel, frames: Frames, *, recompute: bool) -> Seen:
    """Both questions' gradients from one prefill, one backward pass each, as re-attention takes them."""
    session = Session(replace(loaded, recompute=recompute), frames)
    zero, prefix = session.origin(backwards=False, learnable=True)
    margin = session.ask(prefix, QUESTIONS).yes_minus_no
    gradients = [torch.autograd.grad(margin[n], zero, retain_graph=True)[0] for n in range(2)]
    return Seen(margin.detach(), gradients)


def test_the_gradients_are_the_same_bits(any_family: LoadedModel, noise: Callable[..., Frames]) -> None:
    plain, again = (look(any_family, noise(4), recompute=wanted) for wanted in (False, True))
    assert torch.equal(plain.margin, again.margin)
    for one, other in zip(plain.gradients, again.gradients, strict=True):
        assert one.norm() > 0 and torch.equal(one, other)


def test_what_it_replaced_is_put_back(tiny: LoadedModel) -> None:
    language_model = tiny.model.model.language_model
    mlp = language_model.layers[0].mlp

    def hook(inputs: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = type(mlp).forward(mlp, inputs)
        return found

    mlp.forward = hook  # as accelerate leaves one
    try:
        with pytest.raises(RuntimeError, match="out of memory"), recomputing(language_model):
            assert mlp.forward is not hook
            raise RuntimeError("out of memory")
        assert mlp.forward is hook
    finally:
        del mlp.forward
    assert not any("forward" in vars(module) for module in language_model.modules())


def test_without_a_gradient_nothing_is_replaced(
    tiny: LoadedModel, noise: Callable[..., Frames], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: object, **kwargs: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("stvg_core.mllm.recompute.checkpoint", never)
    session = Session(replace(tiny, recompute=True), noise(3))
    session.ask(session.prefill(), QUESTIONS)
    with pytest.raises(AssertionError, match="computed again"):
        session.origin(backwards=False, learnable=True)


@pytest.mark.parametrize(("free", "kept_by_torch", "short"), [(0, 0, True), (10**9, 0, False), (0, 10**9, False)])
def test_it_is_done_by_itself_where_the_gpu_is_full(
    tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch, free: int, kept_by_torch: int, short: bool
) -> None:
    """The GPU is played; a CPU is never short."""
    gpu = torch.device("cuda")
    weights = [SimpleNamespace(device=gpu)]
    model = SimpleNamespace(config=tiny.model.config, model=tiny.model.model, parameters=lambda: iter(weights))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 2 * 10**9))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: kept_by_torch + 5)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 5)
    assert is_short(model, gpu, 4000) == short
    assert not is_short(tiny.model, torch.device("cpu"), 4000)
