"""What did a process and those that it started take? From /proc, where also those count that still run."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """CPU seconds of this process and of its children, those that have ended included, and the clock."""

    own: float
    children: float
    clock: float

    @classmethod
    def now(cls) -> Self:
        ended = os.times()
        alive = sum(_cpu(pid) for pid in children(os.getpid()))
        return cls(time.process_time(), ended.children_user + ended.children_system + alive, time.perf_counter())

    def since(self, before: Usage) -> Usage:
        return Usage(self.own - before.own, self.children - before.children, self.clock - before.clock)

    @property
    def cpu(self) -> float:
        return self.own + self.children


def children(pid: int) -> list[int]:
    """The processes that a process has started itself, and that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        fields = _stat(stat)
        if fields and int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def peak_bytes(pid: int) -> int:
    """The largest resident memory of a process so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def _cpu(pid: int) -> float:
    fields = _stat(Path(f"/proc/{pid}/stat"))
    return sum(int(value) for value in fields[11:15]) * _TICK_S if fields else 0.0


def _stat(path: Path) -> list[str]:
    """The fields after the name; none of a process that is gone."""
    try:
        return path.read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
