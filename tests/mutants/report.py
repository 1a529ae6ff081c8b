"""What became of the mutants: how many each module has, how many a test noticed, which survived and why they may."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.mutants.workshop import WORK, meta

REASONS = Path(__file__).parent / "survivors.toml"
Verdict = Literal["not run", "killed", "survived", "unsure"]


def verdict(code: int | None) -> Verdict:
    """By how the tests ended: 1 and 3 a failed test; 0, 5 and 33 none failed, or none reaches the function; 24, 36, 152
    and 255 the limit of time. Anything else says nothing of the fault: the process was killed, or stopped.
    """
    if code is None:
        return "not run"
    if code in (1, 3, 24, -24, 36, 152, 255):
        return "killed"
    return "survived" if code in (0, 5, 33) else "unsure"


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Attributes:
        module: the file it is in.
        name: mutmut's.
        code: how the tests on it ended.
    """

    module: str
    name: str
    code: int | None

    @property
    def verdict(self) -> Verdict:
        return verdict(self.code)


@dataclass(frozen=True)
class Reason:
    """Why a fault may survive.

    Attributes:
        module, function: where; a method as ``Class.method``.
        was, now: the line without and with the fault; both without the spaces around them. Empty means any.
    """

    module: str
    function: str
    why: str
    was: str = ""
    now: str = ""

    def covers(self, mutant: Mutant, change: str) -> bool:
        lines = {line[:1]: line[1:].strip() for line in change.splitlines() if line[:1] in "+-"}
        return (
            self.module == mutant.module
            and self.function == function_of(mutant.name)
            and self.was in ("", lines.get("-", ""))
            and self.now in ("", lines.get("+", ""))
        )


def function_of(name: str) -> str:
    """``Rows.packed`` of ``stvg_core.method.evidence.xǁRowsǁpacked__mutmut_3``, ``maps`` of ``x_maps__mutmut_1``."""
    mangled = name.rpartition(".")[2].partition("__mutmut_")[0]
    return mangled[2:].replace("ǁ", ".") if mangled.startswith("xǁ") else mangled.removeprefix("x_")


def read(modules: Iterable[str], work: Path = WORK) -> list[Mutant]:
    """All mutants that have been made in these files."""
    found = []
    for module in modules:
        stored = meta(module, work)
        if stored.is_file():
            codes = json.loads(stored.read_text(encoding="utf-8"))["exit_code_by_key"]
            found += [Mutant(module, name, code) for name, code in codes.items()]
    return found


def reasons(file: Path = REASONS) -> list[Reason]:
    return [Reason(**entry) for entry in tomllib.loads(file.read_text(encoding="utf-8")).get("survivor", [])]


def table(mutants: Sequence[Mutant], explained: Iterable[Mutant] = ()) -> str:
    """A line for each module, and one for all."""
    rows: list[tuple[str, ...]] = [("module", "made", "run", "killed", "explained", "left", "killed of those run")]
    known = set(explained)
    for module in [*dict.fromkeys(mutant.module for mutant in mutants), "all"]:
        here = [mutant for mutant in mutants if module in (mutant.module, "all")]
        killed = sum(m.verdict == "killed" for m in here)
        survived = [m for m in here if m.verdict == "survived"]
        run = killed + len(survived)
        fine = sum(m in known for m in survived)
        share = f"{killed / run:.1%}" if run else "-"
        rows.append((module, *(str(n) for n in (len(here), run, killed, fine, len(survived) - fine)), share))
    return "\n".join("| " + " | ".join(row) + " |" for row in (rows[0], ("---",) * len(rows[0]), *rows[1:]))


def change_of(mutant: Mutant) -> str:
    """The lines that the fault changes, as a diff without its head."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant  # type: ignore[import-not-found]

    lines = str(get_diff_for_mutant(mutant.name, path=mutant.module)).splitlines()
    return "\n".join(line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---"))
