"""A video that is on this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class MediaFile:
    """A video on this machine.

    Attributes:
        sha256: of its bytes, in hex.
        hold: keeps the file in the cache for as long as this object is kept; None outside of the cache.
    """

    path: Path
    sha256: str
    size_bytes: int
    hold: object = field(default=None, repr=False, compare=False)
