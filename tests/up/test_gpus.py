"""Workers of one machine lie on different GPUs; a device that somebody chose stays chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.up.gpus import VISIBLE, names, shared_out


def smi(folder: Path, *lines: str) -> dict[str, str]:
    """An environment whose nvidia-smi runs these lines of shell."""
    program = folder / "nvidia-smi"
    program.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    program.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def test_the_driver_is_asked_for_the_names(tmp_path: Path) -> None:
    wanted = 'test "$*" = "--query-gpu=uuid --format=csv,noheader" || exit 1'
    assert names(smi(tmp_path, wanted, "echo GPU-aa", "echo GPU-bb")) == ["GPU-aa", "GPU-bb"]


@pytest.mark.parametrize("line", ["echo No devices were found", "echo broken >&2; exit 9"])
def test_a_driver_without_gpus(tmp_path: Path, line: str) -> None:
    assert names(smi(tmp_path, line)) == []


def test_no_driver(tmp_path: Path) -> None:
    assert names({"PATH": str(tmp_path)}) == []


@pytest.mark.parametrize(("chosen", "found"), [("2,3", ["2", "3"]), ("GPU-x, GPU-y", ["GPU-x", "GPU-y"]), ("", [])])
def test_what_this_process_may_use_goes_before_all_that_there_are(
    tmp_path: Path, chosen: str, found: list[str]
) -> None:
    assert names({**smi(tmp_path, "echo GPU-aa"), VISIBLE: chosen}) == found


@pytest.mark.parametrize(
    ("found", "workers", "device", "places"),
    [
        (["a", "b"], 2, None, ["a", "b"]),
        (["a", "b"], 3, None, ["a", "b", "a"]),
        (["a", "b"], 1, None, [None]),
        (["a"], 2, None, [None, None]),
        ([], 2, None, [None, None]),
        (["a", "b"], 2, "cuda:1", [None, None]),
        (["a", "b"], 2, "cpu", [None, None]),
    ],
)
def test_each_worker_has_its_gpu(found: list[str], workers: int, device: str | None, places: list[str | None]) -> None:
    assert shared_out(found, workers, device) == [{} if place is None else {VISIBLE: place} for place in places]
