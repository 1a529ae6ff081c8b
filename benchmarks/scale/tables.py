"""The figures as rows of a Markdown table: this version, the older one, and how many times the older one's that is."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

from benchmarks.report import row

HEAD = [row("database", "tasks", "what", "figure", "new", "old", "old / new"), row(*["---"] * 7)]
_LEFT_OUT = {"n", "calls", "pages", "tasks_in_a_call", "given_in_the_first", "sent", "over_limit"}

Measured = dict[str, Any]
Key = tuple[str, int, str, str]


def rows(measured: list[Measured]) -> list[str]:
    """One per figure, in the order of the measurements; of several rounds the median."""
    found: dict[Key, dict[str, list[float]]] = {}
    over: set[tuple[Key, str]] = set()
    failed = []
    for entry in measured:
        if "failed" in entry:
            failed.append(
                f"failed: {entry['database']} {entry['tasks']} {entry['what']} {entry['code']}: {entry['failed']}"
            )
            continue
        for path, value, beyond in _flat(entry["figures"]):
            key = entry["database"], entry["tasks"], entry["what"], path
            found.setdefault(key, {}).setdefault(entry["code"], []).append(value)
            if beyond:
                over.add((key, entry["code"]))
    return [*HEAD, *(_row(key, values, over) for key, values in found.items()), *failed]


def _row(key: Key, values: dict[str, list[float]], over: set[tuple[Key, str]]) -> str:
    new, old = (median(values[code]) if code in values else None for code in ("new", "old"))
    return row(*key, _cell(new, (key, "new") in over), _cell(old, (key, "old") in over), _ratio(new, old))


def _cell(value: float | None, beyond: bool) -> str:
    return "" if value is None else f"over {value:g}" if beyond else f"{value:g}"


def _ratio(new: float | None, old: float | None) -> str:
    return f"{old / new:.1f}" if new and old is not None else ""


def _flat(figures: Measured, path: str = "") -> Iterator[tuple[str, float, bool]]:
    """``(name, value, time limit reached)`` of nested figures."""
    beyond = bool(figures.get("over_limit"))
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{name} ")
        elif name not in _LEFT_OUT:
            yield f"{path}{name}", float(value), beyond and name == "seconds"
