"""Which share of a source is this machine's? All sentences of one video are in one share."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from backend.prelabel.errors import SourceError


@dataclass(frozen=True)
class Shard:
    """Share ``number``, from 1, of ``of``."""

    number: int = 1
    of: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise SourceError(f"There is no share {self.number} of {self.of}: shares count from 1/{self.of}.")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """``2/8``; raises SourceError for anything else."""
        found = re.fullmatch(r"\s*(\d{1,6})\s*/\s*(\d{1,6})\s*", text, re.ASCII)
        if found is None:
            raise SourceError(f"A share looks like 2/8, the second of eight; {text!r} does not.")
        return cls(int(found[1]), int(found[2]))

    def has(self, video_ref: str) -> bool:
        """Is this video ours? The address alone decides, so a source may grow and no video changes its share."""
        digest = hashlib.sha256(video_ref.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"
