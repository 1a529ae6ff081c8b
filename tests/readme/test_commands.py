"""Every command in a block of the README is run somewhere, and here it is said where."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stvg_core.demo.clips import write_clip
from tests.docs.test_first_project import PAGE, steps
from tests.readme.test_api_key import ROOT, a_red_circle_moving_left

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks() -> dict[str, list[str]]:
    """The blocks of code under each heading, without comments at the ends of lines."""
    found: dict[str, list[str]] = {}
    for section in re.split(r"^## ", README, flags=re.MULTILINE)[1:]:
        found[section.partition("\n")[0]] = re.findall(r"^```\w*\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return {heading: inside for heading, inside in found.items() if inside}


def commands(block: str) -> list[str]:
    return [re.sub(r"\s+#.*$", "", line) for line in block.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader of the README stands: the repository's environment and packages, and a clip."""
    write_clip(tmp_path / "clip.mp4", a_red_circle_moving_left())
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    stvg = tmp_path / ".venv" / "bin" / "stvg"
    stvg.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from backend.cli.main import main; main()" "$@"\n')
    stvg.chmod(0o755)
    (tmp_path / "stvg_core").symlink_to(ROOT / "stvg_core")
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Callable[..., str]:
    """Runs a program in that folder; it must succeed."""

    def run(*words: str) -> str:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("STVG_")}
        path = f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            words, cwd=folder, capture_output=True, text=True, check=False,
            env=plain | {"PATH": path, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_each_block_is_accounted_for() -> None:
    """A new block needs a line here and something that runs it."""
    assert {heading: len(inside) for heading, inside in blocks().items()} == {
        "Two commands": 1,  # `make test` runs this; .ci/run runs `make demo CHECK=1`
        "One video, one sentence": 2,  # below
        "Your videos, your Label Studio": 1,  # tests/docs/test_first_project.py
        "With an API key, no GPU": 1,  # tests/readme/test_api_key.py
        "A real model on a GPU": 1,  # the first line below; the others need weights and a GPU
        "How it works": 1,  # no commands
    }


def test_make_knows_its_targets() -> None:
    (block,) = blocks()["Two commands"]
    said = [line.split()[:2] for line in block.splitlines()]
    assert said == [["make", "demo"], ["make", "test"]]
    for _, target in said:
        done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (
        "make test\n" in (ROOT / ".ci" / "run").read_text()
        and "make demo CHECK=1\n" in (ROOT / ".ci" / "run").read_text()
    )


def test_one_video_is_grounded_as_it_stands(folder: Path, run: Callable[..., str]) -> None:
    shell, _ = blocks()["One video, one sentence"]
    answer = json.loads(run("sh", "-ec", shell))
    assert len(answer["boxes"]) == answer["end_frame"] - answer["start_frame"] + 1
    assert (folder / "tube.mp4").stat().st_size > 1000 and (folder / "scores.png").stat().st_size > 1000


def test_the_python_block_runs(run: Callable[..., str]) -> None:
    _, python = blocks()["One video, one sentence"]
    assert "Tube(" in run(sys.executable, "-c", python)


def test_the_lines_for_your_videos_are_those_that_the_first_project_types() -> None:
    (block,) = blocks()["Your videos, your Label Studio"]
    typed = {command for kind, what in steps() if kind == "type" for command in commands(what)}
    assert [line for line in commands(block) if line not in typed] == [], f"not in {PAGE.name}"


def test_the_models_are_listed(run: Callable[..., str]) -> None:
    (block,) = blocks()["A real model on a GPU"]
    first, *others = commands(block)
    assert first == "stvg models" and "llava-hf/llava-onevision-qwen2-7b-ov-hf" in run("sh", "-ec", first)
    assert all("--device cuda" in line or "STVG_MODEL=" in line for line in others), "needs weights and a GPU"
