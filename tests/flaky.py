"""Run tests many times beside busy loops: `python -m tests.flaky --times 20 tests/browser`.

One pytest session, so that Label Studio and Chromium start once; each test runs `--times` times (tests/conftest.py).
A test that holds is one whose verdict does not depend on how fast the machine is.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
RUN = re.compile(r"\brun\d+-|-?\brun\d+(?=\])")  # what --times adds to a test's name


@contextlib.contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Processes that do nothing but work; they end with this one, however it ends."""
    loops = [subprocess.Popen([sys.executable, "-c", _with_parent(os.getpid())]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait()


def _with_parent(parent: int) -> str:
    """A busy loop that looks now and then whether its parent is still there: a killed one cannot clean up."""
    return f"import os\nwhile os.getppid() == {parent}:\n    for _ in range(10**6): pass"


def _run(command: list[str]) -> int:
    """Its exit code. When this is stopped, pytest is told to stop too: it ends Label Studio and Chromium itself."""
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait()


def verdicts(report: Path) -> dict[str, Counter[str]]:
    """By test, how often it passed, failed, or was skipped."""
    found: dict[str, Counter[str]] = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = RUN.sub("", f"{case.get('classname')}::{case.get('name')}").replace("[]", "")
        kinds = {child.tag for child in case}
        verdict = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        found.setdefault(name, Counter())[verdict] += 1
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--loops", type=int, default=os.cpu_count() or 1, help="busy loops beside the tests")
    args, rest = parser.parse_known_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory() as folder, busy_loops(args.loops):
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--times={args.times}", f"--junit-xml={report}", *rest]
        code = _run(command)
        counted = verdicts(report) if report.exists() else {}
    for name, count in sorted(counted.items()):
        print(f"passed {count['passed']:3}  failed {count['failed']:3}  skipped {count['skipped']:3}  {name}")
    total = sum(counted.values(), Counter())
    print(f"{args.times} times beside {args.loops} busy loops: {total['passed']} passed, {total['failed']} failed")
    return code


if __name__ == "__main__":
    sys.exit(main())
