"""What did a check find? One line for a person, with what mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from backend.doctor.installation import Installation

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """``about`` is the subject, ``said`` what is, ``mend`` what to do; it is empty where all is well."""

    status: Status
    about: str
    said: str
    mend: str = ""

    def to_json(self) -> dict[str, str]:
        return asdict(self)

    def line(self) -> str:
        """``fail  database        The database is empty. Run: stvg db upgrade``."""
        return f"{self.status:<4}  {self.about:<14}  {' '.join(filter(None, (self.said, self.mend)))}"


Check = Callable[[Installation], Iterator[Finding]]
"""Looks at one subject; may raise StvgError, which is a failure in that sentence."""


def ok(about: str, said: str) -> Finding:
    """It is as it should be."""
    return Finding("ok", about, said)


def warn(about: str, said: str, mend: str) -> Finding:
    """It works, but something is lost or slow."""
    return Finding("warn", about, said, mend)


def fail(about: str, said: str, mend: str) -> Finding:
    """It does not work."""
    return Finding("fail", about, said, mend)
