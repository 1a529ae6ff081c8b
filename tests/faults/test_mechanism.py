"""A test of a fault that would hold without its guard is found out."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

import pytest

from tests.faults.fault import ROOT, Fault
from tests.faults.without import no

SAMPLE = """
import os, pathlib, subprocess, sys
import pytest
from tests.faults.fault import fault
from tests.faults.without import no, yes

@fault(1, guard="os.path.isabs", without=no)
def test_proves_it():
    assert os.path.isabs("/a")

@fault(1, guard="os.path.isabs", without=no)
def test_proves_nothing():
    assert True

@fault(1, guard="os.path.isabs", without=no)
def test_broken():
    if not os.path.isabs("/a"):
        raise KeyError("no failed assertion")

@fault(1, guard="os.path.isabs", without=no, by=KeyError)
def test_said_how():
    if not os.path.isabs("/a"):
        raise KeyError("the fault")

@fault(1, guard="os.path.isabs", without=no)
@fault(2, guard="os.path.isdir", without=no)
def test_two_guards():
    assert os.path.isabs("/a") and os.path.isdir("/")

@fault(1, guard="os.path.isabs", without=no)
def test_skipped():
    pytest.skip("not here")

@fault(1, guard="os.path.no_such_guard", without=no)
def test_no_such_guard():
    pass

@pytest.fixture
def built():
    return os.path.isabs("/a")

@fault(1, guard="os.path.isabs", without=no)
def test_fixtures_too(built):
    assert built

@fault(1, guard="os.path.isabs", without=no, hangs_s=0.2)
def test_hangs():
    while not os.path.isabs("/a"):
        pass

@fault(1, guard="stvg_core.text.shown", without=no, children=True)
def test_children():
    code = "from stvg_core.text import shown; print(shown('a'))"
    assert subprocess.check_output([sys.executable, "-P", "-c", code], text=True) == "a\\n"
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """How each test of the sample ends, by its id."""
    folder = tmp_path_factory.mktemp("sample")
    (folder / "test_sample.py").write_text(SAMPLE)
    told = folder / "told.xml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.faults.conftest", "-p", "no:cacheprovider",
         "-p", "no:schemathesis", "--rootdir", str(folder), "--junitxml", str(told), str(folder)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert told.exists(), done.stdout + done.stderr
    cases = ElementTree.parse(told).iter("testcase")
    return {case.attrib["name"]: case[0].tag if len(case) else "passed" for case in cases}


@pytest.mark.parametrize(
    ("test", "guarded", "without"),
    [
        ("proves_it", "passed", "passed"),
        ("proves_nothing", "passed", "failure"),
        ("broken", "passed", "failure"),
        ("said_how", "passed", "passed"),
        ("skipped", "skipped", "skipped"),
        ("fixtures_too", "passed", "passed"),
        ("hangs", "passed", "passed"),
    ],
)
def test_a_run_without_its_guard_passes_only_if_the_body_fails(
    outcomes: dict[str, str], test: str, guarded: str, without: str
) -> None:
    assert outcomes[f"test_{test}[guarded]"] == guarded
    assert outcomes[f"test_{test}[without isabs]"] == without


def test_every_guard_of_a_test_is_taken_out_by_itself(outcomes: dict[str, str]) -> None:
    runs = [test for test in outcomes if test.startswith("test_two_guards")]
    assert runs == [f"test_two_guards[{run}]" for run in ("guarded", "without isabs", "without isdir")]
    assert {outcomes[run] for run in runs} == {"passed"}


def test_child_processes_do_without_it_as_well(outcomes: dict[str, str]) -> None:
    assert outcomes["test_children[guarded]"] == outcomes["test_children[without shown]"] == "passed"


def test_a_guard_that_is_not_there_is_an_error(outcomes: dict[str, str]) -> None:
    assert outcomes["test_no_such_guard[without no_such_guard]"] == "error"


def test_only_what_was_said_counts_as_failing_for_lack_of_a_guard() -> None:
    fault = Fault(1, "test_a", "tests.faults.test_a", {"os.path.isabs": no}, by=(KeyError,))
    assert fault.failed(AssertionError()) and fault.failed(KeyError()) and fault.failed(pytest.fail.Exception("x"))
    assert not fault.failed(TypeError()) and not fault.failed(pytest.skip.Exception("x"))
