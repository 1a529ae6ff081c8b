"""What is done when the memory of the GPU does not suffice? Let go of what is held, and try once more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from stvg_core.errors import ModelError

T = TypeVar("T")
R = TypeVar("R")

_SAID = (
    "out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_ALLOC_FAILED",
)  # fmt: skip


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
    except (RuntimeError, MemoryError) as error:
        if not is_short_of_memory(error):
            raise
    # Outside the handler, whose traceback would keep the tensors of the failed try alive.
    forget()
    torch.cuda.empty_cache()
    try:
        return again()
    except (RuntimeError, MemoryError) as error:
        if not is_short_of_memory(error):
            raise
        forget()
        raise ModelError(refused) from None


def sparing(run: Callable[[], T], *, possible: Callable[[], bool], spare: Callable[[], None]) -> T:
    """What ``run`` gives, or, where the memory does not suffice for it, what it gives after ``spare``.

    Args:
        possible: whether ``spare`` would change anything; where not, the error is raised.
    """
    try:
        return run()
    except (RuntimeError, MemoryError) as error:
        if not (is_short_of_memory(error) and possible()):
            raise
    spare()
    torch.cuda.empty_cache()
    return run()


def in_batches(
    given: Sequence[T], run: Callable[[Sequence[T]], list[R]], size: int, shrunk: Callable[[int], None]
) -> list[R]:
    """What ``run`` gives for each, in batches of at most ``size``; where the memory does not suffice, of half as many.

    Args:
        shrunk: called with each smaller size.

    Raises: what ``run`` raises, also where the memory does not suffice for a batch of one.
    """
    found: list[R] = []
    while len(found) < len(given):
        batch = given[len(found) : len(found) + size]
        try:
            found += run(batch)
            continue
        except (RuntimeError, MemoryError) as error:
            if len(batch) == 1 or not is_short_of_memory(error):
                raise
        # Outside the handler, as above.
        size = len(batch) // 2
        shrunk(size)
        torch.cuda.empty_cache()
    return found


def is_short_of_memory(error: RuntimeError | MemoryError) -> bool:
    """Did it fail for lack of memory? torch has a class for its own allocator only; libraries say it in words."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(word in str(error) for word in _SAID)
