"""The examples of a property test are the same in every run, and other ones where `make fuzz` asks for them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import settings

from tests.chance import FUZZ_ENV, fuzzing

ROOT = Path(__file__).parent.parent
DRAW = """
import tests
from hypothesis import given, strategies as st

@given(st.text(max_size=20), st.integers(), st.floats(), st.sets(st.sampled_from("abcdef")))
def draw(text, whole, number, letters):
    drawn.append(repr((text, whole, number, sorted(letters))))

drawn = []
draw()
print("\\n".join(drawn).encode().hex())
"""


def examples(before: str = "", **env: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != FUZZ_ENV}
    environment |= {"PYTHONPATH": str(ROOT), **env}
    command = [sys.executable, "-c", before + DRAW]
    found = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert len(found) > 1000
    return found


def test_the_same_examples_in_every_process_whatever_is_imported() -> None:
    once = examples(PYTHONHASHSEED="1")
    assert examples(PYTHONHASHSEED="2") == once
    imports = "import backend.cli.main, schemathesis, stvg_core.decomposition\n"
    assert examples(imports, PYTHONHASHSEED="3", CI="true") == once


def test_fuzzing_draws_others() -> None:
    assert len({examples(**{FUZZ_ENV: "1"}) for _ in range(2)} | {examples()}) == 3


def test_a_test_with_settings_of_its_own_builds_upon_the_profile() -> None:
    assert settings(max_examples=3).derandomize is not fuzzing()
    assert settings(max_examples=3).database is None
