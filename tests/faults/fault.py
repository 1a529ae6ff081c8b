"""Which fault is a test about, what guards against it, and does the test fail without that guard?"""

from __future__ import annotations

import base64
import json
import os
import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import pytest

from tests.faults.replacing import owner_of

ROOT = Path(__file__).parents[2]
CHILDREN = Path(__file__).parent / "children"
"""Python begins with the ``sitecustomize.py`` of this folder in every process that is started without a guard."""
TAKEN_OUT = "TAKEN_OUT_GUARDS"
"""The environment variable that it reads."""

_Test = TypeVar("_Test", bound=Callable[..., None])


@dataclass(frozen=True)
class Fault:
    """One guard of one test.

    Attributes:
        number: of the fault, 1 to 33.
        test: the name of the test.
        module: the name of its module.
        guards: what is replaced, by dotted name, and by what; all at once.
        children: whether child processes do without the guards as well.
        by: what a body without its guard may fail by, besides a failed assertion.
        hangs_s: after so many seconds a body without its guard counts as one that would never end.
    """

    number: int
    test: str
    module: str
    guards: Mapping[str, object]
    children: bool = False
    by: tuple[type[BaseException], ...] = ()
    hangs_s: float | None = None

    @property
    def label(self) -> str:
        return "without " + next(iter(self.guards)).rpartition(".")[2]

    def take_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put the replacements where the guards are. A guard that is not there is an error."""
        for name, replacement in self.guards.items():
            owner, attribute = owner_of(name)
            monkeypatch.setattr(owner, attribute, replacement)
        if self.children:
            given = base64.b64encode(pickle.dumps(dict(self.guards))).decode()
            path = os.pathsep.join(
                part for part in (str(CHILDREN), str(ROOT), os.environ.get("PYTHONPATH", "")) if part
            )
            monkeypatch.setenv(TAKEN_OUT, json.dumps(given))
            monkeypatch.setenv("PYTHONPATH", path)
            monkeypatch.setattr(sys, "path", [str(CHILDREN), *sys.path])  # what our own children look in

    def failed(self, error: BaseException) -> bool:
        """Is this how the body fails for lack of its guard, and not a defect of the test?"""
        return isinstance(error, (AssertionError, pytest.fail.Exception, *self.by))


REGISTRY: list[Fault] = []
"""Filled while the test modules are imported."""


def fault(
    number: int,
    *,
    guard: str,
    without: object,
    also: Mapping[str, object] = MappingProxyType({}),
    children: bool = False,
    by: type[BaseException] | tuple[type[BaseException], ...] = (),
    hangs_s: float | None = None,
) -> Callable[[_Test], _Test]:
    """The test is about this fault. It runs once with the guard and once for each ``fault`` of it without.

    Args:
        guard: what guards against it, by dotted name: a function, a method or a constant.
        without: what is there instead in the run that must fail.
        also: further guards and what replaces them: those that would do for the first.
        children: child processes do without the guards too; then the replacements must be such as ``pickle`` takes:
            values, and functions of a module (``tests.faults.without`` has the usual ones).
        by: what the body may fail by without the guard, besides a failed assertion or ``pytest.raises``.
        hangs_s: for a body that never ends without its guard: seconds after which it is given up.
    """

    def mark(test: _Test) -> _Test:
        ways = by if isinstance(by, tuple) else (by,)
        entry = Fault(number, test.__name__, test.__module__, {guard: without, **also}, children, ways, hangs_s)
        REGISTRY.append(entry)
        faults: list[Fault] = test.__dict__.setdefault("faults", [])
        faults.append(entry)
        return test

    return mark
