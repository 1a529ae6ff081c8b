"""What a run of the demo saw: the table people read, and ``summary.json`` with every check and its measured value."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stvg_core.notice import notices
from stvg_core.text import printable


@dataclass(frozen=True)
class Check:
    """One thing that had to hold, with the value that was measured and the one that was expected."""

    name: str
    held: bool
    measured: Any
    expected: Any


@dataclass(frozen=True)
class ProposedTube:
    """One row of the table.

    Attributes:
        task: Label Studio's task number.
        span: first and last frame as Label Studio counts them (1-based, both included), None without a proposal.
        fps: of the video; turns frames into seconds.
        keyframes: how many boxes were sent; Label Studio interpolates between them.
        score: in [0, 1], None without a proposal.
        seconds: time spent grounding.
        problem: why there is no proposal.
        tiou, viou: overlap with the rendered truth, None where there is none.
        model_version: whose proposal it is; "" without one.
    """

    task: int
    video: str
    query: str
    fps: float
    span: tuple[int, int] | None = None
    keyframes: int = 0
    score: float | None = None
    seconds: float | None = None
    problem: str | None = None
    tiou: float | None = None
    viou: float | None = None
    model_version: str = ""


@dataclass
class Summary:
    """Collects while the demo runs; written at its end, also when it fails half-way."""

    tubes: list[ProposedTube] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    """Of somebody's own videos: what could not be used, and why."""
    error: str | None = None

    def check(self, name: str, measured: Any, expected: Any) -> bool:
        """Note whether what was measured is what was expected."""
        self.checks.append(Check(name, measured == expected, measured, expected))
        return self.checks[-1].held

    @property
    def ok(self) -> bool:
        """True when nothing failed and at least one thing was checked."""
        return self.error is None and bool(self.checks) and all(check.held for check in self.checks)

    def write(self, path: Path) -> None:
        """As JSON; the file is replaced in one step."""
        body = {
            "ok": self.ok if self.checks or self.error else None,  # None: nothing was to be checked
            "error": self.error,
            "checks": [asdict(check) for check in self.checks],
            "left_out": self.left_out,
            "tubes": [asdict(tube) for tube in self.tubes],
            "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
            **self.facts,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(body, indent=2, default=str) + "\n")
        temporary.replace(path)


HOW_COUNTED = "Frames as in Label Studio: counted from 1, both ends included. Seconds: when the frame begins."
"""How the table's numbers are meant."""

NO_TRUTH = "Nobody knows the true tubes of these videos: how near these come to them is not measured and not checked."
"""Said of somebody's own videos."""


def table(tubes: Sequence[ProposedTube], *, own: bool = False) -> str:
    """The proposals as aligned text, and below it how the numbers are meant and whose proposals they are.

    Args:
        own: they are of somebody's own videos: each is named, and it is said that no truth is known.
    """
    header = ("task", "query", "tube", "keyframes", "score", "took")
    rows = [header, *(_row(tube) for tube in tubes)]
    if own:
        named = ["video", *(_short(printable(tube.video), 32) for tube in tubes)]
        rows = [(row[0], name, *row[1:]) for row, name in zip(rows, named, strict=True)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    right = {0, *range(len(widths) - 3, len(widths))}
    lines = [
        "  ".join(
            cell.rjust(width) if k in right else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    said = notices(tube.model_version for tube in tubes)
    about = [HOW_COUNTED, NO_TRUTH] if own else [HOW_COUNTED]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:], "", *about, *said])


def _row(tube: ProposedTube) -> tuple[str, ...]:
    if tube.span is None:
        return (
            str(tube.task),
            _short(tube.query),
            _short(tube.problem or "nothing found", 60),
            "0",
            "-",
            _took(tube.seconds),
        )
    first, last = tube.span
    span = f"{(first - 1) / tube.fps:.2f}-{(last - 1) / tube.fps:.2f} s (frames {first}-{last})"
    return (
        str(tube.task), _short(tube.query), span, str(tube.keyframes), _number(tube.score, 2), _took(tube.seconds),
    )  # fmt: skip


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _took(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f} s"


def _short(text: str, length: int = 44) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def check_lines(checks: Sequence[Check]) -> str:
    """One line per check: ok or FAILED, its name, and what was measured."""
    return "\n".join(
        f"{'ok    ' if check.held else 'FAILED'}  {check.name}: {check.measured}"
        + ("" if check.held else f" (expected {check.expected})")
        for check in checks
    )
