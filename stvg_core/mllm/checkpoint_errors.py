"""What is said where a checkpoint's files cannot be read?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from stvg_core.errors import ModelError


@contextmanager
def reading(model: str) -> Iterator[None]:
    """Whatever goes wrong while a checkpoint is read, as one sentence.

    Libraries read the files, and a broken one makes them raise anything: what they raise is no defect of ours.

    Raises:
        ModelError: with the first line of what was raised.
        torch.OutOfMemoryError: as it comes; the caller may free some memory and try again.
    """
    try:
        yield
    except (ModelError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"The model {model} cannot be loaded: {first_line}") from error
