"""Which part of the dataset does a video belong to? By its content, so that no video is in two parts."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from backend.export.errors import ExportError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_SUM_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Split:
    """Parts and their shares, in order; the shares sum to 1."""

    shares: tuple[tuple[str, float], ...]

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.shares)

    def part(self, sha256: str) -> str:
        """The part of a video by the hash of its bytes.

        The same for every sentence on it, in every export, on every machine, whatever else is in the dataset: a video
        that was in the test part once never turns up in training. The shares hold on average.
        """
        # Hashed again with a word of its own, so that other uses of the content hash do not line up with the parts.
        digest = hashlib.sha256(f"stvg split {sha256}".encode()).digest()
        position = int.from_bytes(digest[:8], "big") / 2**64
        bound = 0.0
        for name, share in self.shares:
            bound += share
            if position < bound:
                return name
        return next(name for name, share in reversed(self.shares) if share)


def parse_split(text: str) -> Split:
    """Read ``train=0.8,val=0.1,test=0.1``; :class:`ExportError` for anything that is no split."""
    shares: list[tuple[str, float]] = []
    for entry in text.split(","):
        name, _, number = (word.strip() for word in entry.partition("="))
        try:
            share = float(number)
        except ValueError:
            share = -1.0
        if not _NAME.fullmatch(name) or not 0 <= share <= 1:
            raise ExportError(
                f'"{entry.strip()}" is no part of a split. Write parts as name=share, for example '
                "train=0.8,val=0.1,test=0.1."
            )
        shares.append((name, share))
    if len({name.casefold() for name, _ in shares}) < len(shares):
        raise ExportError("A part of the split is named twice.")
    total = sum(share for _, share in shares)
    if abs(total - 1) > _SUM_TOLERANCE:
        raise ExportError(f"The shares of the split sum to {total:g}, not to 1.")
    return Split(tuple(shares))
