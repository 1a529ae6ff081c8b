"""A short name for several rows: the same for the same rows, and only for these."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

LONGEST = 64


def key_of(numbers: Iterable[int]) -> str:
    """``"3,7"``, or a hash where that would be too long; "" for none. At most :data:`LONGEST` characters."""
    text = ",".join(map(str, numbers))
    return text if len(text) <= LONGEST else hashlib.sha256(text.encode()).hexdigest()
