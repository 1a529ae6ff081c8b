"""Operations counted from sizes against those that torch counts while the model runs."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import flops
from benchmarks.shapes import SHAPES, build, random_frames
from stvg_core.mllm.session import Session

SLOTS = 4


@pytest.mark.parametrize("family", sorted(SHAPES))
def test_a_prefill_forward_and_backward(family: str) -> None:
    loaded = build(family, device="cpu", dtype=torch.float32, tiny=True)
    session = Session(loaded, random_frames(family, tiny=True, slots=SLOTS))
    v = session.zero_v().requires_grad_(True)
    with FlopCounterMode(display=False) as forward:
        prefix = session.prefill(v)
    keys = torch.stack([keys.sum() + values.sum() for keys, values in prefix.keys_values]).sum()
    with FlopCounterMode(display=False) as backward:
        torch.autograd.grad(keys, v)
    counted = flops.LanguageModel.of(loaded.model)
    tokens = prefix.length
    # torch counts no attention on a CPU, so the matrices are left.
    assert forward.get_total_flops() == 2 * counted.matrices * tokens
    attention = counted.forward(tokens) - 2 * counted.matrices * tokens
    assert attention == 4 * counted.layers * counted.width * tokens * (tokens + 1) / 2
    # The last layer's keys and values do not depend on its queries, output or MLP, whose gradients are not run here.
    assert backward.get_total_flops() <= 2 * counted.matrices * tokens
    assert counted.backward(tokens) == 2 * counted.matrices * tokens + 2 * attention


@pytest.mark.parametrize("family", sorted(SHAPES))
def test_the_vision_tower(family: str) -> None:
    loaded = build(family, device="cpu", dtype=torch.float32, tiny=True)
    with FlopCounterMode(display=False) as counter:
        session = Session(loaded, random_frames(family, tiny=True, slots=SLOTS))
    slots, h, w = session.shape
    counted = flops.vision(loaded.model, slots, h * w)
    # Ours has attention on top, a small part of it at this size.
    assert 1.0 <= counted / counter.get_total_flops() < 1.5


def test_a_whole_grounding_is_five_prefills_and_three_gradients() -> None:
    model = flops.LanguageModel(layers=28, matrices=28 * 233_000_000, width=3584, head=0)
    prefix = 3934
    whole = flops.grounding(model, prefix, {"spatial": 0, "temporal": 0, "neutral": 0, "query": 0})
    assert whole == 5 * model.forward(prefix) + 3 * model.backward(prefix)
    assert flops.grounding(model, prefix, dict.fromkeys(["spatial", "temporal", "neutral", "query"], 0), tas=False) == (
        3 * model.forward(prefix) + 2 * model.backward(prefix)
    )
