"""The ablation: looks put together are the looks of a whole run, and the tables say what the rows say."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from backend.cli.ablate import command
from stvg_core.demo import MODEL_DIR
from stvg_core.demo.ablation import reasons
from stvg_core.demo.ablation.figures_file import Row, read_rows, write_rows
from stvg_core.demo.ablation.run import SETS, Task, clip_rows, scene_of, sub_queries
from stvg_core.demo.ablation.steps import STEPS, SharedLooks, settings_of
from stvg_core.demo.ablation.table import lines, markdown, paired_gain
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.demo.evaluate import scene_tracks, scene_truth
from stvg_core.demo.scenes import render
from stvg_core.errors import StvgError
from stvg_core.method.look import look
from stvg_core.method.maps import maps
from stvg_core.metrics import tiou
from stvg_core.mllm.session import Session
from stvg_core.pipeline import Grounder
from stvg_core.query import as_statement
from stvg_core.tube import Frames
from stvg_core.video import sample_indices

ROOT = Path(__file__).parents[2]
ROWS = ROOT / "docs" / "figures" / "ablation.csv.gz"
TASK = Task("3-4 objects", 900_000, "validation", timed=False)


@pytest.fixture(scope="module")
def grounder() -> Grounder:
    return Grounder.from_pretrained(MODEL_DIR, device="cpu")


def row(step: str, clip: int, viou: float, seconds: float = math.nan) -> Row:
    return Row("crowded", clip, 7, "growing", "oracle", step, 1.0, viou, viou, 0.3, 1.5, math.nan, seconds)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_looks_put_together_are_those_of_a_whole_run(step, grounder: Grounder) -> None:  # type: ignore[no-untyped-def]
    scene = scene_of(TASK)
    indices = sample_indices(scene.n_frames, 6)
    frames = Frames(render(scene, indices), indices, indices / float(scene.fps))
    query, parts = as_statement(scene.query), sub_queries(grounder, scene.query)
    settings = settings_of(step, grounder.settings)
    together = maps(SharedLooks(Session(grounder.loaded, frames), query, parts, grounder.settings)(settings), settings)
    whole = maps(look(Session(grounder.loaded, frames), query, parts[settings.action_subject], settings), settings)
    np.testing.assert_allclose(together.spatial, whole.spatial, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(together.temporal, whole.temporal, rtol=1e-3, atol=1e-6)


def test_the_last_step_is_what_a_user_gets(grounder: Grounder) -> None:
    (shipped,) = [step for step in STEPS if step.name == "as shipped"]
    assert settings_of(shipped, grounder.settings) == grounder.settings


def test_one_clip_gives_a_row_for_each_step_and_bound(grounder: Grounder, tmp_path: Path) -> None:
    rows = clip_rows(grounder, replace(TASK, timed=True))
    for kind in ("oracle", "proposed"):
        of_kind = {one.step: one for one in rows if one.tracks == kind}
        assert set(of_kind) == {step.name for step in STEPS} | {"chance", "whole clip, right object", "oracle bound"}
        assert all(0 <= one.viou <= one.tiou + 1e-9 <= 1 + 1e-8 for one in of_kind.values())
        assert of_kind["chance"].viou <= of_kind["oracle bound"].viou
        assert all(of_kind[step.name].seconds > 0 for step in STEPS)
    assert next(one for one in rows if one.step == "oracle bound" and one.tracks == "oracle").viou == 1.0
    write_rows(tmp_path / "rows.csv.gz", rows)
    again = read_rows(tmp_path / "rows.csv.gz")
    assert [one.step for one in again] == [one.step for one in rows]
    assert again[3].viou == pytest.approx(rows[3].viou, abs=1e-4)
    write_rows(tmp_path / "other.csv.gz", again)
    assert (tmp_path / "other.csv.gz").read_bytes() == (tmp_path / "rows.csv.gz").read_bytes()


def test_only_the_steps_that_were_asked_for_are_run(grounder: Grounder) -> None:
    rows = clip_rows(grounder, replace(TASK, steps=("+ GTI", "+ V_t, bare noun")))
    bounds = {"chance", "whole clip, right object", "oracle bound"}
    assert {one.step for one in rows} == bounds | {"+ GTI", "+ V_t, bare noun"}
    assert "TAS" not in reasons.markdown(rows)
    result = CliRunner().invoke(command, ["--step", "+ V_t, no noun"])
    assert isinstance(result.exception, StvgError) and "+ V_t, bare noun" in str(result.exception)


def test_the_bare_action_asks_another_question_about_time_alone(grounder: Grounder) -> None:
    scene = scene_of(TASK)
    indices = sample_indices(scene.n_frames, 6)
    frames = Frames(render(scene, indices), indices, indices / float(scene.fps))
    parts = sub_queries(grounder, scene.query)
    assert parts["noun"].attribute == parts["phrase"].attribute
    assert parts["noun"].action == parts["phrase"].action.replace(f"{scene.objects[scene.target].colour} ", "")
    looks = SharedLooks(Session(grounder.loaded, frames), as_statement(scene.query), parts, grounder.settings)
    named = {step.name: looks(settings_of(step, grounder.settings)) for step in STEPS if "V_" in step.name}
    for phrase, bare in (("+ V_t", "+ V_t, bare noun"), ("+ V_s and V_t", "+ V_s and V_t, bare noun")):
        np.testing.assert_allclose(named[phrase].spatial, named[bare].spatial, rtol=1e-3, atol=1e-6)
        assert not np.allclose(named[phrase].temporal, named[bare].temporal, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("number", [7104, 7105])
def test_a_second_look_brings_the_ends_nearer_to_the_truth(number: int, grounder: Grounder, tmp_path: Path) -> None:
    """On clips whose first look is a tenth off; a window that is looked at wrongly would lose them."""
    scene = split_scene("validation", number, difficulty="easy")
    video = write_clip(tmp_path / "clip.mp4", scene)
    overlaps = []
    for second in (False, True):
        settings = replace(grounder.settings, second_look=second)
        tube = Grounder(grounder.loaded, settings, "test").ground(video, scene.query, tracks=scene_tracks(scene)).tube
        assert tube is not None
        overlaps.append(tiou(tube, scene_truth(scene)))
    assert overlaps[1] > overlaps[0] + 0.03


def test_sets_are_drawn_as_named() -> None:
    counts = {len(scene_of(Task("3-4 objects", number, "validation", False)).objects) for number in range(4)}
    assert counts == {3, 4}
    assert all(len(scene_of(Task("crowded", number, "validation", False)).objects) >= 6 for number in range(4))
    assert set(SETS) == {"3-4 objects", "crowded"}


def test_a_gain_is_paired() -> None:
    before = np.random.default_rng(0).random(200)
    mean, low, high = paired_gain(before + 0.05, before)
    assert [mean, low, high] == pytest.approx([0.05] * 3)  # every clip gains the same, however much the clips differ
    mean, low, high = paired_gain(np.random.default_rng(1).random(200), before)
    assert low < mean < high and low < 0 < high


def test_the_table_holds_means_over_all_clips() -> None:
    rows = [row("mean of role tokens", 0, 0.2), row("mean of role tokens", 1, 0.4)]
    rows += [row("+ GTI", 1, 0.6, seconds=2.0), row("+ GTI", 0, 0.5)]
    first, second = lines(rows, "crowded", "oracle")
    assert (first.step, first.m_viou, first.viou_03, first.gain) == (
        "mean of role tokens",
        pytest.approx(0.3),
        0.5,
        None,
    )
    assert second.gain is not None and second.gain[0] == pytest.approx(0.25)
    assert second.viou_05 == 0.5  # strictly above
    assert second.seconds == 2.0 and first.seconds is None
    assert "| + GTI |" in markdown(rows) and "+0.250 [" in markdown(rows)


def test_files_that_are_no_rows_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "x.csv.gz").write_text("no gzip")
    for path in (tmp_path / "x.csv.gz", tmp_path / "missing"):
        with pytest.raises(StvgError, match="cannot be read"):
            read_rows(path)
    write_rows(tmp_path / "y.csv.gz", [])
    result = CliRunner().invoke(command, ["--rows", str(tmp_path / "missing")])
    assert isinstance(result.exception, StvgError)


def test_the_documented_tables_are_those_of_the_committed_rows() -> None:
    page = (ROOT / "docs" / "ablation.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- stvg ablate --rows docs/figures/ablation.csv.gz -->\n")[2].partition("<!-- end -->")[0]
    assert shown.strip() == CliRunner().invoke(command, ["--rows", str(ROWS)]).stdout.strip()
    assert len({(one.clips, one.clip) for one in read_rows(ROWS)}) >= 500


def test_the_readme_shows_what_the_committed_rows_say() -> None:
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("ablation.csv.gz -->")[2].partition("\n\n")[0]
    shown = [[cell.strip() for cell in line.split("|")[2:-1]] for line in table.strip().splitlines()[2:]]
    rows = read_rows(ROWS)
    for clips, cells in zip(SETS, shown, strict=True):
        oracle = {line.step: line.m_viou for line in lines(rows, clips, "oracle")}
        proposed = {line.step: line.m_viou for line in lines(rows, clips, "proposed")}
        values = [oracle["chance"], oracle["whole clip, right object"], oracle["as shipped"], proposed["as shipped"]]
        assert cells == [f"{value:.3f}".lstrip("0") for value in values]
