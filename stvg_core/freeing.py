"""What is done when the memory of the GPU does not suffice? Let go of what is held, and try once more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from stvg_core.errors import ModelError

T = TypeVar("T")


def twice(first: Callable[[], T], again: Callable[[], T], forget: Callable[[], None], refused: str) -> T:
    """What ``first`` gives, or, where the memory does not suffice for it, what ``again`` gives.

    Args:
        forget: drops what is held on the GPU; called before the second try and after it has failed.
        refused: the message where the memory does not suffice for ``again`` either.

    Raises:
        ModelError: with ``refused``.
    """
    try:
        return first()
    except torch.OutOfMemoryError:
        pass
    # Outside the handler, whose traceback would keep the tensors of the failed try alive.
    forget()
    torch.cuda.empty_cache()
    try:
        return again()
    except torch.OutOfMemoryError:
        forget()
        raise ModelError(refused) from None
