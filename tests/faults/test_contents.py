"""Is there a test of every fault, and does ``docs/faults.md`` name them all?"""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import pytest

import tests.faults
from tests.faults.fault import REGISTRY, Fault

DOCS = Path(__file__).parents[2] / "docs" / "faults.md"
EXPECTED = range(1, 34)
"""All numbers."""

MODULES = [
    importlib.import_module(f"tests.faults.{found.name}")
    for found in pkgutil.iter_modules(tests.faults.__path__)
    if found.name.startswith("test_") and found.name not in ("test_contents", "test_mechanism", "test_small_disk")
]


def test_every_fault_has_a_test() -> None:
    assert sorted({fault.number for fault in REGISTRY}) == list(EXPECTED)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_group_has_its_faults_and_nothing_else(module: ModuleType) -> None:
    """Its ``FAULTS`` says which; each of its tests says what guards against its own."""
    of_it = [fault for fault in REGISTRY if fault.module == module.__name__]
    assert sorted({fault.number for fault in of_it}) == list(module.FAULTS)
    tests = {name for name in vars(module) if name.startswith("test_")}
    assert tests == {fault.test for fault in of_it}, "a test without its fault, or two of one name"


def test_the_table_names_the_tests() -> None:
    rows = re.findall(r"^\| *(\d+) *\|.*\|([^|]*)\|$", DOCS.read_text(), re.MULTILINE)
    numbers = [int(number) for number, _ in rows]
    assert numbers == sorted(set(numbers)), "one row for each, in order"
    told = {int(number): sorted(re.findall(r"`(test_\w+)`", cell)) for number, cell in rows}
    assert told == {number: sorted(_tests(number)) for number in {fault.number for fault in REGISTRY}}


def _tests(number: int) -> set[str]:
    found: list[Fault] = [fault for fault in REGISTRY if fault.number == number]
    return {fault.test for fault in found}
