"""Where this user may not mount a file system, the tests of a full disk run in a namespace in which it may."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.fault import ROOT
from tests.faults.small_disk import NEEDED, can_mount, has_namespaces


def test_a_full_disk_in_a_namespace(tmp_path: Path) -> None:
    if can_mount(tmp_path):
        pytest.skip("this user may mount: the tests of a full disk run here")
    if not has_namespaces():
        pytest.skip(NEEDED)
    done = run_in_a_namespace(tmp_path / "base")
    assert done.returncode == 0 and "skipped" not in done.stdout, done.stdout


def run_in_a_namespace(base: Path) -> subprocess.CompletedProcess[str]:
    """All tests of a full disk, as root of a user namespace with mounts of its own."""
    command = ["unshare", "-rm", sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, f"--basetemp={base}", "tests/faults/test_full_disk.py"], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
