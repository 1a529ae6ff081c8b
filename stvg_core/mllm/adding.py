"""Adding V to the visual tokens so that rounding does not take it away again (method, stage 6).

V is small against the visual tokens T_v. In bfloat16 and float16, T_v lies on the grid of its precision, and where an
entry of V is less than half a step of that grid, T_v + V is rounded back to T_v: always, so that V's effect shrinks. So
V stays out of the embeddings there. In front of the first layer both are added in float32, the first layer's residual
stays in float32, and only what its norms and the layer itself hand on is rounded. That lies anywhere between the steps
of the grid, so it is rounded up about as often as V wants it to be: over many entries V's effect comes out whole, if
with noise. One layer's residual is all that it costs.

Weights, and so 4-bit ones, see the precision that they expect. Nothing is done for float32 and float64, where V is
simply added.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch


@contextmanager
def added_at_the_first_layer(language_model: Any, v: torch.Tensor, *, through: int = 1) -> Iterator[None]:
    """Inside the block, the language model's first layer sees its input plus V; gradients flow to V.

    Args:
        language_model: whose embeddings hold T_v without V; with ``layers`` that have an ``input_layernorm`` and a
            ``post_attention_layernorm``, as transformers' decoders do.
        v: ``[1, N, D]`` float32, V at the cells and zero at all other tokens.
        through: how many layers' residual stays in float32.
    """
    layers = list(language_model.layers[:through])
    norms = [norm for layer in layers for norm in (layer.input_layernorm, layer.post_attention_layernorm)]
    rounding = _Rounding(norms[0].weight.dtype)
    with ExitStack() as hooks:
        hooks.enter_context(layers[0].register_forward_pre_hook(_Adding(v)))
        for module in (*norms, layers[-1]):
            hooks.enter_context(module.register_forward_hook(rounding))
        yield


class _Adding:
    """``[1, N, D]`` in any precision -> the same with V, in float32."""

    def __init__(self, v: torch.Tensor) -> None:
        self._v = v

    def __call__(self, module: torch.nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden, *others = given
        return hidden + self._v.to(hidden.device), *others


class _Rounding:
    """What a module hands on, in the precision of the weights."""

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype

    def __call__(self, module: torch.nn.Module, given: tuple[Any, ...], found: torch.Tensor) -> torch.Tensor:
        return found.to(self._dtype)
