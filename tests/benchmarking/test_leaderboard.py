"""docs/leaderboard.md: its commands can be typed, its figures are the paper's, or come from committed rows."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import click
import numpy as np
import pytest

from backend.benchmarking.dataset import VIDSTG
from backend.benchmarking.paper_figures import is_of, published
from backend.cli.benchmark import command
from stvg_core.mllm.checkpoints import CHECKPOINTS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/leaderboard.md").read_text()
ROWS = {
    "model's own": "benchmark_rendered.csv",
    "paper, proposals of the embedded model": "benchmark_rendered_paper.csv",
}
TABLE = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("## Leaderboard")[2].splitlines()
    if line.startswith("| ") and "stvg benchmark" in line
]
FILES = {"hcstvg1": "--annotations F --videos V", "hcstvg2": "--annotations F --videos V", "rendered": "",
         "vidstg": "--annotations F --videos V --vidor D"}  # fmt: skip


def parsed(line: str, tmp_path: Path) -> dict[str, object]:
    """The options of a command; files that it names need not be there."""
    for name in ("F", "anno_v1/test.json", "anno_v2/val_v2.json", "test_annotations.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    for name in ("D", "vidor-annotations"):
        (tmp_path / name).mkdir(exist_ok=True)
    words = shlex.split(line)
    assert words[:2] == ["stvg", "benchmark"]
    with command.make_context("benchmark", words[2:]) as context:
        assert isinstance(context, click.Context)
        return dict(context.params)


def test_every_command_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    known = {one.hub_id for one in CHECKPOINTS}
    lines = re.findall(r"^stvg benchmark .*$", PAGE, flags=re.MULTILINE)
    assert len(lines) == 4 and len(TABLE) > 20
    for line in lines:
        options = parsed(line, tmp_path)
        assert options["model"] in {None, *known}
    for row in TABLE:
        typed = row[2].strip("`")
        name = typed.split()[2]
        options = parsed(typed.replace("...", FILES[name]), tmp_path)
        assert options["model"] in {None, *known}
    assert len({row[2] for row in TABLE}) == len(TABLE), "one command for each row"


def test_the_papers_figures_are_the_papers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    seen = 0
    for model, what, typed, _, ours, paper in TABLE:
        name = typed.strip("`").split()[2]
        options = parsed(typed.strip("`").replace("...", FILES[name]), tmp_path)
        assert what == name + (f", {options['split']}" if name == VIDSTG else "")
        rows = [one for one in published(name, options["split"]) if is_of(one, str(options["model"]))]  # type: ignore[arg-type]
        assert paper == (" / ".join(f"{figure:.1f}" for figure in rows[0].figures) if rows else "-"), (model, what)
        assert ours == "not run yet" or name == "rendered"
        seen += bool(rows)
    assert seen == 12


@pytest.mark.parametrize("preset", ROWS)
def test_the_measured_rows_are_those_of_the_committed_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset: str
) -> None:
    monkeypatch.chdir(tmp_path)
    [row] = [one for one in TABLE if one[1] == "rendered" and one[3] == preset]
    with (ROOT / "docs/figures" / ROWS[preset]).open() as file:
        rows = list(csv.DictReader(file))
    viou = np.array([float(one["vIoU"]) for one in rows])
    figures = 100 * np.array([viou.mean(), (viou > 0.3).mean(), (viou > 0.5).mean()])
    assert row[4] == " / ".join(f"{figure:.1f}" for figure in figures)
    options = parsed(row[2].strip("`"), tmp_path)
    assert options["limit"] == len(rows) and (options["preset"] is not None) == (preset != "model's own")
    [version] = {one["model_version"] for one in rows if one["model_version"]}
    assert f"`{version}`" in PAGE


def test_the_rows_that_stand_beside_the_papers_take_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _, what, typed, preset, _, _ in TABLE:
        if what != "rendered":
            name = typed.strip("`").split()[2]
            assert parsed(typed.strip("`").replace("...", FILES[name]), tmp_path)["preset"] == preset == "paper"
