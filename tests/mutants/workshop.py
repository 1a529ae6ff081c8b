"""A copy of the project in ``.mutants``, in which mutmut works and keeps its results."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from tests.mutants.chosen import MODULES, TESTS

ROOT = Path(__file__).parent.parent.parent
WORK = ROOT / ".mutants"
_FOLDERS = ("stvg_core", "tests", "backend", "benchmarks", "labeling_config", "migrations")
_COPIED = (*(f"{name}/" for name in _FOLDERS), "pyproject.toml", "README.md")


def prepare() -> None:
    """Bring the copy up to date, and tell mutmut what to mutate.

    Only what changed is written: mutmut goes by the times of files. A plain copy that it made of a file counts as made
    mutants for it, so such copies of new files in the list go.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    wanted = {name for name in listed.split("\0") if name.startswith(_COPIED) and (ROOT / name).is_file()}
    for top in _FOLDERS:
        for file in (WORK / top).rglob("*"):
            if file.is_file() and str(file.relative_to(WORK)) not in wanted:
                file.unlink()
    changed = [
        _update(WORK / name, (ROOT / name).read_bytes() + (settings() if name == "pyproject.toml" else b""))
        for name in wanted
    ]
    if any(changed):  # mutmut asks only new tests which functions they reach, also where a function is new
        (WORK / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    for module in MODULES:
        if not meta(module).is_file():
            (WORK / "mutants" / module).unlink(missing_ok=True)


def meta(module: str, work: Path = WORK) -> Path:
    """Where mutmut keeps what it found about a file."""
    return work / "mutants" / f"{module}.meta"


def settings() -> bytes:
    """mutmut's part of the copy's ``pyproject.toml``."""
    values: dict[str, object] = {
        "source_paths": ["stvg_core"], "only_mutate": list(MODULES), "also_copy": [*_FOLDERS[1:], "README.md"],
        "pytest_add_cli_args_test_selection": [test for test in TESTS if (ROOT / test).is_file()],
        "pytest_add_cli_args": ["-p", "no:schemathesis", "-p", "no:cacheprovider"], "timeout_constant": 2.0,
        "track_dependencies": False, "use_git_change_detection": False,
    }  # fmt: skip
    return "\n".join(
        ["", "[tool.mutmut]", *(f"{name} = {json.dumps(value)}" for name, value in values.items())]
    ).encode()


def forget() -> None:
    """Begin anew."""
    shutil.rmtree(WORK, ignore_errors=True)


def _update(file: Path, content: bytes) -> bool:
    """Whether the file was another one, or none."""
    if file.is_file() and file.read_bytes() == content:
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return True
