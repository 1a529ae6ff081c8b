"""Prefills of several V as one batch: the same bits as one by one, in batches that fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.memory import LanguageShape
from stvg_core.mllm.session import Prefix, Session
from stvg_core.mllm.together import FULL, MOST, Together
from stvg_core.tube import Frames

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def several(session: Session, count: int = 3) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(count)
    return [0.3 * torch.randn(session.zero_v().shape, generator=generator) for _ in range(count)]


def numbers(prefix: Prefix) -> list[torch.Tensor]:
    return [part for layer in prefix.keys_values for part in layer]


@pytest.mark.parametrize("backwards", [False, True])
def test_a_batch_gives_the_same_bits(any_family: LoadedModel, noise: Callable[..., Frames], backwards: bool) -> None:
    session = Session(any_family, noise(5))
    vs = several(session)
    alone = [session.prefill(v, backwards=backwards) for v in vs]
    together = session.prefill_each(vs, backwards=backwards)
    for one, other in zip(alone, together, strict=True):
        assert (one.length, one.next_position) == (other.length, other.next_position)
        for first, second in zip(numbers(one), numbers(other), strict=True):
            assert torch.equal(first, second)
    assert not torch.equal(numbers(together[0])[-1], numbers(together[1])[-1]), "each has its own V"
    question = ["the red circle moving left."]
    said = [session.ask(prefix, question, rows=True) for prefix in (alone[1], together[1])]
    assert torch.equal(said[0].yes_minus_no, said[1].yes_minus_no) and torch.equal(said[0].rows[0], said[1].rows[0])


def test_in_half_precision_v_is_kept_apart_for_each(tiny: LoadedModel, noise: Callable[..., Frames]) -> None:
    model = tiny.model.to(torch.bfloat16)
    try:
        session = Session(replace(tiny, model=model), noise(4))
        vs = several(session, 2)
        vs[1] = vs[1] * 1e-3  # far below the grid of bfloat16
        alone, together = [session.prefill(v) for v in vs], session.prefill_each(vs)
        for one, other in zip(alone, together, strict=True):
            for first, second in zip(numbers(one), numbers(other), strict=True):
                torch.testing.assert_close(first, second, rtol=0.02, atol=0.02)
        assert not torch.equal(numbers(together[1])[-1], numbers(session.prefill())[-1])
    finally:
        tiny.model.to(torch.float32)


def played(tiny: LoadedModel, dtype: torch.dtype = torch.bfloat16) -> Any:
    weights = [SimpleNamespace(device=GPU)]
    return SimpleNamespace(
        config=tiny.model.config, model=tiny.model.model, dtype=dtype, parameters=lambda: iter(weights)
    )


def test_only_few_tokens_go_together(tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """20 slots of 196 cells fill a GPU by themselves."""
    monkeypatch.setattr("stvg_core.mllm.together.free_bytes", lambda model: 10**12)
    together, model = Together(), played(tiny)
    assert [together.most(model, GPU, tokens) for tokens in (3935, 1025, 1024, 500, 10)] == [1, 1, 2, 4, MOST]
    assert [together.most(tiny.model, CPU, tokens) for tokens in (FULL["cpu"], FULL["cpu"] // 2)] == [1, 2]
    assert together.most(tiny.model, torch.device("meta"), 10) == 1


def test_a_batch_takes_half_of_the_free_memory_at_most(tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    each = LanguageShape.of(tiny.model).in_batch(100)
    monkeypatch.setattr("stvg_core.mllm.together.free_bytes", lambda model: 6 * each)
    assert Together().most(played(tiny), GPU, 100) == 3
    assert Together().most(played(tiny, torch.float32), GPU, 100) == 1
    monkeypatch.setattr("stvg_core.mllm.together.free_bytes", lambda model: 0)
    assert Together().most(played(tiny), GPU, 100) == 1


def test_what_did_not_fit_is_remembered_for_the_model(tiny: LoadedModel, noise: Callable[..., Frames]) -> None:
    loaded = replace(tiny, together=Together())
    session = Session(loaded, noise(3))
    tokens = session.prefill().length
    assert session.at_once() == min(MOST, FULL["cpu"] // tokens) >= 2
    session.shrink(1)
    assert session.at_once() == 1
    assert Session(replace(loaded, recompute=True), noise(3)).at_once() == 1, "copies share it"
    assert Session(tiny, noise(3)).at_once() > 1
    assert loaded.together.most(tiny.model, CPU, tokens // 2) == 2, "half as many tokens fit twice"


def test_what_a_batch_takes() -> None:
    """LLaVA-OneVision-7B: keys and values of 28 layers are 57 kB a token."""
    shape = LanguageShape(3584, 28, 18944, 3584, 512)
    assert shape.in_batch(1) == 4 * 28 * 512 + (8 * 3584 + 4 * 3584 + 4 * 512 + 6 * 18944) + 8 * 3584
