"""Less memory for the gradient to V: norms and feed-forward parts are computed again in the backward pass.

A prefill whose gradient is wanted keeps what each layer computed. At 7B width, norms and feed-forward parts are three
quarters of it, and a fifth of the whole grounding's operations. Inside :func:`recomputing` they keep their input only.
The numbers are the same: the backward pass runs the same operations on the same input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from stvg_core.mllm.memory import LanguageShape

BOTH = 2
"""Prefills that are kept at once where several sentences share them: forward and reversed."""


def is_short(model: Any, device: torch.device, tokens: int, *, recompute: bool = False) -> bool:
    """Would the graphs of two prefills of so many tokens not fit beside what is on the GPUs? Never on a CPU."""
    if device.type != "cuda":
        return False
    shape = LanguageShape.of(model)
    needed = (BOTH - 1) * shape.kept(tokens, recompute=recompute) + shape.peak(tokens, recompute=recompute)
    return needed > free_bytes(model)


def free_bytes(model: Any) -> int:
    """Bytes on the GPUs that hold the model: unused, or kept by torch for what comes next."""
    devices = {weight.device for weight in model.parameters() if weight.device.type == "cuda"}
    free = 0
    for one in devices:
        kept = torch.cuda.memory_reserved(one) - torch.cuda.memory_allocated(one)
        free += torch.cuda.mem_get_info(one)[0] + kept
    return free


@contextmanager
def recomputing(language_model: torch.nn.Module, *, wanted: bool = True) -> Iterator[None]:
    """Norms and feed-forward parts that run inside the block keep their input only.

    Args:
        language_model: with ``layers`` that hold an ``mlp`` each, as transformers' decoders do.
        wanted: nothing happens where it is not.
    """
    with ExitStack() as stack:
        for module in _parts(language_model) if wanted else ():
            stack.enter_context(_replaced(module))
        yield


def _parts(language_model: torch.nn.Module) -> Iterator[torch.nn.Module]:
    for layer in language_model.layers:  # type: ignore[union-attr]
        for name, module in layer.named_modules():  # type: ignore[union-attr]
            if name == "mlp" or type(module).__name__.endswith("RMSNorm"):
                yield module


@contextmanager
def _replaced(module: Any) -> Iterator[None]:
    """Instances may have a forward of their own already: accelerate's hooks are such."""
    own = module.__dict__.get("forward")
    module.forward = partial(_again_in_backward, module.forward)
    try:
        yield
    finally:
        if own is None:
            del module.forward
        else:
            module.forward = own


def _again_in_backward(forward: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
    if not (torch.is_grad_enabled() and inputs.requires_grad):
        return forward(inputs)
    # Nothing random is in a frozen model that evaluates.
    found: torch.Tensor = checkpoint(forward, inputs, use_reentrant=False, preserve_rng_state=False)
    return found
